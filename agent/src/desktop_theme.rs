//! Light or dark, from the settings that X11 desktops publish (XSETTINGS 0.5).
//!
//! GNOME, Xfce, MATE, Cinnamon, KDE and xsettingsd do. No D-Bus: the portal's word would cost
//! three dozen crates. Wayland compositors tell a window by themselves or not at all.

use eframe::egui::Theme;

/// The most that is read of them.
pub(crate) const MAX_BYTES: u32 = 256 * 1024;
/// More settings than any desktop has.
const MAX_SETTINGS: u32 = 4096;
/// The theme of windows, by its name: themes that are dark say so in it.
const NAME: &[u8] = b"Net/ThemeName";
/// 1 where programs shall use the dark half of their theme.
const PREFERS_DARK: &[u8] = b"Gtk/ApplicationPreferDarkTheme";

/// What the settings say; none where they say nothing of it or make no sense.
pub(crate) fn read(settings: &[u8]) -> Option<Theme> {
    let mut reader = Reader::new(settings)?;
    let count = reader.number()?;
    let mut by_name = None;
    for _ in 0..count.min(MAX_SETTINGS) {
        let (name, value) = reader.setting()?;
        match (name, value) {
            (PREFERS_DARK, Value::Number(1)) => return Some(Theme::Dark),
            (NAME, Value::Text(theme)) => by_name = Some(of_name(theme)),
            _ => {}
        }
    }
    by_name
}

fn of_name(theme: &[u8]) -> Theme {
    let lower = theme.to_ascii_lowercase();
    match lower.windows(4).any(|part| part == b"dark") {
        true => Theme::Dark,
        false => Theme::Light,
    }
}

#[derive(Debug, PartialEq)]
enum Value<'a> {
    Number(u32),
    Text(&'a [u8]),
    Colour,
}

/// Reads from front to back, in the byte order that the settings name first.
struct Reader<'a> {
    rest: &'a [u8],
    little: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Self {
            rest: bytes,
            little: true,
        };
        reader.little = match reader.take(4)?[0] {
            0 => true,
            1 => false,
            _ => return None,
        };
        // The serial number.
        reader.number()?;
        Some(reader)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Text is filled up to a multiple of four.
    fn text(&mut self, count: usize) -> Option<&'a [u8]> {
        let text = self.take(count)?;
        self.take(count.next_multiple_of(4) - count)?;
        Some(text)
    }

    fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(match self.little {
            true => u32::from_le_bytes(bytes),
            false => u32::from_be_bytes(bytes),
        })
    }

    fn setting(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let kind = self.take(2)?[0];
        let length: [u8; 2] = self.take(2)?.try_into().ok()?;
        let length = match self.little {
            true => u16::from_le_bytes(length),
            false => u16::from_be_bytes(length),
        };
        let name = self.text(length.into())?;
        self.number()?;
        let value = match kind {
            0 => Value::Number(self.number()?),
            1 => {
                let length = self.number()?;
                Value::Text(self.text(usize::try_from(length).ok()?)?)
            }
            2 => {
                self.take(8)?;
                Value::Colour
            }
            _ => return None,
        };
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use eframe::egui::Theme;

    enum Setting<'a> {
        Number(u32),
        Text(&'a str),
        Colour,
    }

    fn settings(list: &[(&str, Setting<'_>)], little: bool) -> Vec<u8> {
        let number = |n: u32| match little {
            true => n.to_le_bytes(),
            false => n.to_be_bytes(),
        };
        let short = |n: usize| number(u32::try_from(n).unwrap() << if little { 0 } else { 16 });
        let mut bytes = vec![u8::from(!little), 0, 0, 0];
        bytes.extend(number(7));
        bytes.extend(number(list.len().try_into().unwrap()));
        for (name, value) in list {
            let kind = match value {
                Setting::Number(_) => 0,
                Setting::Text(_) => 1,
                Setting::Colour => 2,
            };
            bytes.extend([kind, 0]);
            bytes.extend(&short(name.len())[..2]);
            let fill = |bytes: &mut Vec<u8>, text: &str| {
                bytes.extend(text.as_bytes());
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            };
            fill(&mut bytes, name);
            bytes.extend(number(3));
            match value {
                Setting::Number(n) => bytes.extend(number(*n)),
                Setting::Text(text) => {
                    bytes.extend(number(text.len().try_into().unwrap()));
                    fill(&mut bytes, text);
                }
                Setting::Colour => bytes.extend([0; 8]),
            }
        }
        bytes
    }

    #[test]
    fn a_theme_is_known_by_its_name() {
        use Setting::{Colour, Number, Text};
        for little in [true, false] {
            let of = |list: &[_]| read(&settings(list, little));
            let before = || ("Xft/DPI", Number(98304));
            let colour = || ("Gtk/Colour", Colour);
            let theme = |name| ("Net/ThemeName", Text(name));
            let dark = Some(Theme::Dark);
            assert_eq!(of(&[before(), colour(), theme("Adwaita-dark")]), dark);
            assert_eq!(of(&[theme("Yaru-Dark"), before()]), dark);
            assert_eq!(of(&[theme("Adwaita"), before()]), Some(Theme::Light));
            let prefers = |n| ("Gtk/ApplicationPreferDarkTheme", Number(n));
            assert_eq!(of(&[theme("Adwaita"), prefers(1)]), dark);
            assert_eq!(of(&[theme("Adwaita"), prefers(0)]), Some(Theme::Light));
            assert_eq!(of(&[before()]), None);
        }
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        let good = settings(&[("Net/ThemeName", Setting::Text("Dark"))], true);
        for end in 0..good.len() {
            assert_eq!(read(&good[..end]), None, "cut at {end}");
        }
        let mut odd = good.clone();
        odd[0] = 9;
        assert_eq!(read(&odd), None);
        let mut endless = good;
        endless[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read(&endless), None, "it ends before its count does");
    }
}

//! Which characters can be drawn: those of the fonts that we bring, and of what the system has.
//!
//! Ours hold Latin, Greek and Cyrillic. The first character beyond them opens the system's fonts,
//! at the few places where distributions keep them; no library that knows them all is asked,
//! since it would read every font at each start. What no font has is shown escaped (see
//! [`crate::show`]): a row of empty boxes tells nobody anything.

use crate::view::theme;
use eframe::egui::FontData;
use eframe::egui::epaint::text::{FallbackRequest, FontInsert};
use skrifa::{FontRef, MetadataProvider};
use std::path::Path;
use std::sync::OnceLock;

/// More than any font has: the largest of those below has 33 MB.
const MAX_BYTES: u64 = 64 << 20;

/// Where fonts of many scripts are, the best first: Debian and Ubuntu, Fedora, Arch, openSUSE.
const PLACES: &[&str] = &[
    // Chinese, Japanese, Korean.
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-vf-fonts/NotoSansCJK-VF.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/wenquanyi/wqy-microhei/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    // Arabic, Hebrew, Armenian, Georgian, and many signs.
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    // Scripts of India and South-East Asia.
    "/usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf",
    "/usr/share/fonts/truetype/noto/NotoSansThai-Regular.ttf",
    "/usr/share/fonts/noto/NotoSansDevanagari-Regular.ttf",
    "/usr/share/fonts/noto/NotoSansThai-Regular.ttf",
    "/usr/share/fonts/truetype/freefont/FreeSans.ttf",
    "/usr/share/fonts/gnu-free/FreeSans.ttf",
];

/// A font file that is read when it is first needed, and kept: what is drawn refers to it.
struct SystemFont {
    path: &'static str,
    bytes: OnceLock<Option<&'static [u8]>>,
}

impl SystemFont {
    const fn at(path: &'static str) -> Self {
        Self {
            path,
            bytes: OnceLock::new(),
        }
    }

    fn bytes(&self) -> Option<&'static [u8]> {
        *self.bytes.get_or_init(|| {
            let path = Path::new(self.path);
            let file = std::fs::metadata(path).ok()?;
            if !file.is_file() || file.len() > MAX_BYTES {
                return None;
            }
            let bytes: &'static [u8] = std::fs::read(path).ok()?.leak();
            Some(bytes)
        })
    }

    fn has(&self, c: char) -> bool {
        self.bytes().is_some_and(|bytes| has(bytes, c))
    }
}

/// The system's fonts that are there, in the order in which they are asked.
fn system() -> &'static [SystemFont] {
    static FONTS: OnceLock<Vec<SystemFont>> = OnceLock::new();
    FONTS.get_or_init(|| {
        let there = PLACES.iter().filter(|path| Path::new(path).is_file());
        there.map(|path| SystemFont::at(path)).collect()
    })
}

/// Whether a font has a picture of a character; of a collection the first font counts.
fn has(bytes: &[u8], c: char) -> bool {
    let glyph = FontRef::from_index(bytes, 0)
        .ok()
        .and_then(|font| font.charmap().map(c));
    glyph.is_some_and(|glyph| glyph != skrifa::GlyphId::NOTDEF)
}

/// Whether a character is drawn as itself.
pub(crate) fn is_known(c: char) -> bool {
    c.is_ascii() || has(theme::REGULAR, c) || system().iter().any(|font| font.has(c))
}

/// egui asks for a font that has what ours have not.
pub(crate) fn font_for(request: &FallbackRequest<'_>) -> Option<FontInsert> {
    insert(system(), request.cluster.chars().next()?)
}

fn insert(fonts: &[SystemFont], c: char) -> Option<FontInsert> {
    let font = fonts.iter().find(|font| font.has(c))?;
    let data = FontData::from_static(font.bytes()?);
    Some(FontInsert::new(font.path, data, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::{SystemFont, insert, is_known};

    const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fonts/Roboto-Bold.ttf");

    #[test]
    fn what_we_bring_holds_what_we_say() {
        for c in "aZ~äßéłőΩжЯ€→←✓✕·…".chars() {
            assert!(super::has(crate::view::theme::REGULAR, c), "{c}");
            assert!(is_known(c), "{c}");
        }
        // Of no script, for private use.
        assert!(!is_known('\u{f0fff}'));
    }

    #[test]
    fn a_font_is_found_by_what_it_has() {
        let fonts = [
            SystemFont::at("/nowhere/at/all.ttf"),
            SystemFont::at("/proc/self/status"),
            SystemFont::at(OURS),
        ];
        assert_eq!(
            insert(&fonts, 'Ж').map(|font| font.name).as_deref(),
            Some(OURS)
        );
        assert!(insert(&fonts, '東').is_none());
        assert!(insert(&fonts[..2], 'Ж').is_none());
    }
}

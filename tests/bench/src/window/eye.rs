//! Looks at the middle of the screen, where the window opens.

use std::io;
use std::time::{Duration, Instant};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat};
use x11rb::rust_connection::RustConnection;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const BLINK: Duration = Duration::from_millis(1);
/// What it looks at, in pixels.
const WIDTH: u16 = 500;
const HEIGHT: u16 = 60;
/// A desktop without windows and a window that has not been painted have one colour, or two;
/// smoothed letters have dozens.
const COLOURS: usize = 8;

/// A pair of eyes on one screen.
pub(super) struct Eye {
    connection: RustConnection,
    screen: usize,
}

impl Eye {
    pub(super) fn new(display: &str) -> io::Result<Self> {
        let (connection, screen) = x11rb::connect(Some(display)).map_err(io::Error::other)?;
        Ok(Self { connection, screen })
    }

    /// Waits until something is painted there.
    pub(super) fn appears(&self) -> io::Result<()> {
        self.until(true)
    }

    /// Waits until nothing is there any more.
    pub(super) fn goes(&self) -> io::Result<()> {
        self.until(false)
    }

    fn until(&self, painted: bool) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.sees_text()? != painted {
            if end <= Instant::now() {
                let what = if painted { "appear" } else { "go" };
                return Err(io::Error::other(format!("the window does not {what}")));
            }
            std::thread::sleep(BLINK);
        }
        Ok(())
    }

    fn sees_text(&self) -> io::Result<bool> {
        let root = &self.connection.setup().roots[self.screen];
        let middle = |whole: u16, part: u16| i16::try_from((whole - part) / 2).unwrap_or(0);
        let image = self
            .connection
            .get_image(
                ImageFormat::Z_PIXMAP,
                root.root,
                middle(root.width_in_pixels, WIDTH),
                middle(root.height_in_pixels, HEIGHT),
                WIDTH,
                HEIGHT,
                u32::MAX,
            )
            .map_err(io::Error::other)?
            .reply()
            .map_err(io::Error::other)?;
        let mut colours: Vec<&[u8]> = Vec::with_capacity(COLOURS);
        for pixel in image.data.chunks_exact(4) {
            if !colours.contains(&pixel) {
                colours.push(pixel);
            }
            if colours.len() == COLOURS {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

//! The window itself: opened when it is wanted, closed when it has nothing to ask.

use crate::desk::{Desk, Reason};
use crate::model::{Key, Model};
use crate::view::{self, Tab, theme};
use crate::{icon, show, x11};
use eframe::egui;
use egui::{ThemePreference, UserAttentionType, ViewportBuilder, ViewportCommand};
use std::time::{Duration, Instant};

/// The name by which a desktop knows the window; that of its `.desktop` file.
const APP_ID: &str = "hallpass-agent";
/// After the last answer the window stays this long: the next question may follow at once.
const LINGER: Duration = Duration::from_millis(1500);

/// One window, from its opening to its end.
struct Window {
    desk: Desk,
    tab: Tab,
    /// A person wanted to look: it stays until they close it.
    stays: bool,
    /// Since when nothing waits.
    done_since: Option<Instant>,
    /// What the desktop has been told to point out.
    pointed_out: Option<Key>,
    /// What was put off until later.
    put_off: Option<Key>,
    title: String,
}

/// Opens a window and returns when it is closed.
pub(crate) fn run(desk: &Desk, reason: Reason, theme: ThemePreference) -> eframe::Result {
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("hallpass")
            .with_app_id(APP_ID)
            .with_icon(icon::data())
            .with_inner_size([680.0, 600.0])
            .with_min_inner_size([560.0, 420.0])
            .with_active(reason == Reason::Person),
        renderer: eframe::Renderer::Glow,
        centered: true,
        persist_window: false,
        ..eframe::NativeOptions::default()
    };
    let here = desk.clone();
    let result = eframe::run_native(
        APP_ID,
        options,
        Box::new(move |creation| {
            theme::install(&creation.egui_ctx);
            creation.egui_ctx.options_mut(|options| {
                options.theme_preference = theme;
                // Where the desktop does not say, most are light.
                options.fallback_theme = egui::Theme::Light;
            });
            if reason == Reason::Question {
                x11::take_no_focus(creation);
            }
            here.opened(creation.egui_ctx.clone());
            here.load_rules();
            Ok(Box::new(Window {
                desk: here,
                tab: Tab::default(),
                stays: reason == Reason::Person,
                done_since: None,
                pointed_out: None,
                put_off: None,
                title: String::new(),
            }))
        }),
    );
    desk.closed();
    result
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        let now = Instant::now();
        let desk = self.desk.clone();
        if desk.take_summons() {
            self.stays = true;
            ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
            ctx.send_viewport_cmd(ViewportCommand::Focus);
        }
        desk.with(|model| {
            let (hidden, close, focused) = ctx.input(|input| {
                let viewport = input.viewport();
                (
                    viewport.visible() == Some(false),
                    viewport.close_requested(),
                    viewport.focused == Some(true),
                )
            });
            if hidden {
                model.hidden();
            }
            if close && !model.close(now) {
                ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            }
            self.put_off(ctx, model);
            self.point_out(ctx, model, focused);
            self.linger(ctx, model, now);
            self.say(ctx, model);
        });
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        let now = Instant::now();
        let desk = self.desk.clone();
        let tab = &mut self.tab;
        let next = desk.with(|model| {
            model.shown(now);
            view::window(ui, model, tab, now);
            next_change(model, now)
        });
        let touched = ui.input(|input| !input.events.is_empty() && input.pointer.any_down());
        // Somebody who clicks around wants to go on looking.
        self.stays |= touched && desk.with(|model| model.front().is_none());
        if let Some(next) = next {
            ui.request_repaint_after(next.saturating_duration_since(now));
        }
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

impl Window {
    /// Puts the window away when the person says so, and brings it back for another question.
    fn put_off(&mut self, ctx: &egui::Context, model: &mut Model) {
        let front = model.front().map(|item| item.key.clone());
        if model.take_later() {
            self.put_off.clone_from(&front);
            ctx.send_viewport_cmd(ViewportCommand::Minimized(true));
        } else if self.put_off.is_some() && front.is_some() && front != self.put_off {
            self.put_off = None;
            ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
        }
    }

    /// Asks the desktop to point the window out where a question waits and nobody looks.
    fn point_out(&mut self, ctx: &egui::Context, model: &Model, focused: bool) {
        let front = model.front().map(|item| &item.key);
        if front.is_none() || focused {
            if self.pointed_out.take().is_some() {
                let none = ViewportCommand::RequestUserAttention(UserAttentionType::Reset);
                ctx.send_viewport_cmd(none);
            }
        } else if self.pointed_out.as_ref() != front {
            self.pointed_out = front.cloned();
            let look = UserAttentionType::Informational;
            ctx.send_viewport_cmd(ViewportCommand::RequestUserAttention(look));
        }
    }

    /// Closes a window that a question has opened, a moment after the last answer.
    fn linger(&mut self, ctx: &egui::Context, model: &Model, now: Instant) {
        if model.front().is_some() || self.stays || model.notice().is_some() {
            self.done_since = None;
            return;
        }
        let since = *self.done_since.get_or_insert(now);
        match (since + LINGER).checked_duration_since(now) {
            Some(left) if !left.is_zero() => ctx.request_repaint_after(left),
            _ => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    /// The title says what waits, for those who see only that.
    fn say(&mut self, ctx: &egui::Context, model: &Model) {
        let title = match model.front() {
            None => "hallpass".to_owned(),
            Some(item) => {
                let app = show::clip(&item.question.app.subject.name, 40);
                match model.queue().len() {
                    1 => format!("{app} asks · hallpass"),
                    more => format!("{app} asks, {} more · hallpass", more - 1),
                }
            }
        };
        if title != self.title {
            self.title.clone_from(&title);
            ctx.send_viewport_cmd(ViewportCommand::Title(title));
        }
    }
}

/// When the window looks different though nothing happens: it is armed, a clock counts down.
fn next_change(model: &Model, now: Instant) -> Option<Instant> {
    let second = |left: Duration| {
        // A moment after the second has changed, lest it be painted just before.
        now + Duration::from_nanos(left.subsec_nanos().into()) + Duration::from_millis(5)
    };
    let clock = model.front().and_then(|item| item.ends);
    let clock = clock.map(|ends| second(ends.saturating_duration_since(now)));
    let undo = model.saved().undo_offer(now).map(|(_, left)| second(left));
    let armed = model.arming().next_change(now);
    [clock, undo.filter(|_| model.front().is_none()), armed]
        .into_iter()
        .flatten()
        .min()
}

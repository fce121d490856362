//! The window itself: shown when it is wanted, put away when it has nothing to ask.

use crate::IDLE;
use crate::curtain::Curtain;
use crate::desk::{Desk, Lift, Reason, Stage};
use crate::keyboard::Keyboard;
use crate::model::{Key, Model};
use crate::view::{self, Tab, theme};
use crate::{icon, show, warm};
use eframe::egui;
use egui::{Theme, ThemePreference, UserAttentionType, ViewportBuilder, ViewportCommand};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The name by which a desktop knows the window; that of its `.desktop` file.
const APP_ID: &str = "hallpass-agent";
/// After the last answer the window stays this long: the next question may follow at once.
const LINGER: Duration = Duration::from_millis(1500);
/// A window that was made because of a question has been shown by then; what is still hidden has
/// time.
const SETTLED: Duration = Duration::from_millis(500);
/// A window that has been mapped is looked at again after this long: was it really shown?
const SHOWN_SOON: Duration = Duration::from_millis(100);

/// One window, from its making to its end.
struct Window {
    desk: Desk,
    tab: Tab,
    /// Where it can wait without being seen. Elsewhere it ends instead of being hidden.
    curtain: Option<Arc<Curtain>>,
    /// Where the window is one of X11: whether it has the keyboard.
    keyboard: Option<Keyboard>,
    /// Since when it has been hidden and nothing has run.
    idle_since: Option<Instant>,
    /// A person wanted to look: it stays until they close it.
    stays: bool,
    /// Since when nothing waits.
    done_since: Option<Instant>,
    /// What the desktop has been told to point out.
    pointed_out: Option<Key>,
    /// What was put off until later.
    put_off: Option<Key>,
    title: String,
    made: Instant,
    is_warm: bool,
}

/// Makes a window, shows it for a reason or keeps it hidden until there is one, and returns when
/// it has ended.
pub(crate) fn run(desk: &Desk, reason: Option<Reason>, theme: ThemePreference) -> eframe::Result {
    let options = eframe::NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("hallpass")
            .with_app_id(APP_ID)
            .with_icon(icon::data())
            .with_inner_size([680.0, 624.0])
            .with_min_inner_size([560.0, 420.0])
            .with_active(reason == Some(Reason::Person)),
        renderer: eframe::Renderer::Glow,
        glow_options: eframe::egui_glow::GlowConfiguration {
            // It is painted when something has changed, not in step with the screen, and must
            // not wait for a screen that shows it to nobody.
            vsync: false,
            ..Default::default()
        },
        centered: true,
        persist_window: false,
        // See `letters`.
        system_font_fallback: false,
        ..eframe::NativeOptions::default()
    };
    let here = desk.clone();
    let result = eframe::run_native(
        APP_ID,
        options,
        Box::new(move |creation| Ok(Box::new(Window::new(here, reason, theme, creation)?))),
    );
    desk.closed();
    result
}

impl Window {
    fn new(
        desk: Desk,
        reason: Option<Reason>,
        theme: ThemePreference,
        creation: &eframe::CreationContext<'_>,
    ) -> Result<Self, String> {
        let ctx = &creation.egui_ctx;
        theme::install(ctx);
        ctx.options_mut(|options| options.theme_preference = theme);
        let curtain = Curtain::hang(creation)?.map(Arc::new);
        let keyboard = match &curtain {
            Some(curtain) => Some(listen(&desk, ctx, curtain.window())?),
            None => None,
        };
        let reason = reason.or_else(|| desk.wanted());
        if let Some(curtain) = &curtain {
            let done = match reason {
                None => curtain.close(),
                Some(reason) => curtain.open(reason == Reason::Person),
            };
            done.map_err(|error| format!("cannot speak with the X server: {error}"))?;
        }
        desk.opened(ctx.clone(), reason, lift(creation, curtain.clone()));
        desk.load_rules();
        Ok(Self {
            desk,
            tab: Tab::default(),
            curtain,
            keyboard,
            idle_since: None,
            stays: false,
            done_since: None,
            pointed_out: None,
            put_off: None,
            title: String::new(),
            made: Instant::now(),
            is_warm: false,
        })
    }
}

/// Learns when the keyboard comes to the window.
fn listen(desk: &Desk, ctx: &egui::Context, window: u32) -> Result<Keyboard, String> {
    let (desk, ctx) = (desk.clone(), ctx.clone());
    let came = move || desk.with(|model| model.keyboard_came(Instant::now()));
    Keyboard::listen(window, Box::new(came), move || ctx.request_repaint())
}

/// How the window is brought from behind its curtain.
fn lift(creation: &eframe::CreationContext<'_>, curtain: Option<Arc<Curtain>>) -> Lift {
    let window = creation.winit_window().map(Arc::clone);
    Arc::new(move |reason| {
        if let Some(curtain) = &curtain {
            // Where it cannot be told the window may take the keyboard; arming still protects.
            let _ = curtain.open(reason == Reason::Person);
        }
        if let Some(window) = &window {
            window.set_visible(true);
            // Not egui's: eframe lets what is not on screen yet wait for a tenth of a second.
            window.request_redraw();
        }
    })
}

impl eframe::App for Window {
    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        let is_early = self.made.elapsed() < SETTLED;
        if !self.is_warm && !is_early && self.desk.is_hidden() {
            self.is_warm = true;
            warm::letters(ctx, input.clone());
        }
        if let Some(keyboard) = self.keyboard.as_ref().filter(|_| !input.events.is_empty()) {
            keyboard.settle();
        }
    }

    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        let now = Instant::now();
        let desk = self.desk.clone();
        match desk.take_stage() {
            Stage::Hidden => return self.wait(ctx, now),
            Stage::Lifted(reason) => self.came(ctx, reason),
            Stage::Open => {}
        }
        if desk.take_summons() {
            self.stays = true;
            ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
            ctx.send_viewport_cmd(ViewportCommand::Focus);
        }
        // Not below: `keyboard` waits for the desk in its turn.
        let has_keyboard = self.keyboard.as_ref().map(Keyboard::is_here);
        let may_go = desk.with(|model| {
            let (unseen, close, focused) = ctx.input(|input| {
                let viewport = input.viewport();
                (
                    viewport.visible() == Some(false),
                    viewport.close_requested(),
                    viewport.focused == Some(true),
                )
            });
            let focused = has_keyboard.unwrap_or(focused);
            if unseen {
                model.hidden();
            }
            let may_go = close && model.close(now);
            if close && (!may_go || self.curtain.is_some()) {
                ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            }
            if !may_go {
                self.put_off(ctx, model);
                self.point_out(ctx, model, focused);
                self.linger(ctx, model, now);
                self.say(ctx, model);
            }
            may_go
        });
        if may_go && self.curtain.is_some() {
            self.hide(ctx);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let now = Instant::now();
        let desk = self.desk.clone();
        if desk.is_hidden() {
            return;
        }
        let tab = &mut self.tab;
        let window = frame.winit_window();
        let is_mapped = window.is_none_or(|window| window.is_visible() != Some(false));
        let next = desk.with(|model| {
            if is_mapped {
                model.shown(now);
            }
            view::window(ui, model, tab, now);
            next_change(model, now)
        });
        let touched = ui.input(|input| !input.events.is_empty() && input.pointer.any_down());
        // Somebody who clicks around wants to go on looking.
        self.stays |= touched && desk.with(|model| model.front().is_none());
        if let Some(next) = next {
            ui.request_repaint_after(next.saturating_duration_since(now));
        }
        if !is_mapped {
            ui.request_repaint_after(SHOWN_SOON);
        }
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

impl Window {
    /// It has come from behind its curtain.
    fn came(&mut self, ctx: &egui::Context, reason: Reason) {
        let said = self.curtain.as_ref().and_then(|curtain| curtain.theme());
        // Where the desktop does not say, most are light.
        ctx.options_mut(|options| options.fallback_theme = said.unwrap_or(Theme::Light));
        self.idle_since = None;
        self.stays = reason == Reason::Person;
    }

    /// Puts the window behind its curtain.
    fn hide(&mut self, ctx: &egui::Context) {
        if !self.desk.hide() {
            return;
        }
        ctx.send_viewport_cmd(ViewportCommand::Visible(false));
        self.stays = false;
        self.done_since = None;
        self.pointed_out = None;
        self.put_off = None;
        self.tab = Tab::default();
        self.wait(ctx, Instant::now());
    }

    /// Behind the curtain: the process ends when nothing has run for a while.
    fn wait(&mut self, ctx: &egui::Context, now: Instant) {
        if !self.is_warm {
            ctx.request_repaint_after(SETTLED);
        }
        if !self.desk.with(|model| model.sessions().is_empty()) {
            self.idle_since = None;
            return;
        }
        let since = *self.idle_since.get_or_insert(now);
        match (since + IDLE).checked_duration_since(now) {
            Some(left) if !left.is_zero() => ctx.request_repaint_after(left),
            _ => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

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

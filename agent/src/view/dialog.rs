//! The dialog: who wants what, why it is asked, for how long and how wide.

use super::sign::sign;
use super::theme::{MARGIN, Palette, bold, regular};
use super::widgets::{Segment, card, cell, cut, edge, format, lead, pill, segments, small};
use super::{actions, details};
use crate::model::choice::{Choice, TIMES};
use crate::model::sessions::Session;
use crate::model::{Item, Model, Press};
use crate::show;
use crate::words::{self, Sentence};
use eframe::egui;
use egui::text::LayoutJob;
use egui::{Frame, Margin, Panel, ScrollArea, Ui};
use hallpass_session::control::protocol::{Duration, Question};
use std::time::Instant;

pub(super) fn dialog(ui: &mut Ui, model: &mut Model, now: Instant) {
    let Some(item) = model.front().cloned() else {
        return;
    };
    let Some(choice) = model.choice() else {
        return;
    };
    // Below everything and of one height: the buttons stay where they are.
    actions::show(ui, model, &item, choice, now);
    waiting(ui, model, now);
    let frame = Frame::new().inner_margin(Margin::symmetric(MARGIN, 14));
    egui::CentralPanel::no_frame().show(ui, |ui| {
        // What is scrolled must not show above or below.
        ui.set_clip_rect(ui.max_rect());
        ScrollArea::vertical().show(ui, |ui| {
            frame.show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.spacing_mut().item_spacing.y = 10.0;
                notice(ui, model);
                let session = model.sessions().get(&item.key.session);
                question(ui, &item, session);
                retry(ui, model, &item, now);
                reach(ui, model, &item, choice, now);
                details::show(ui, model, &item, now);
            });
        });
    });
}

/// How many wait behind this one, and all of this app at once.
fn waiting(ui: &mut Ui, model: &mut Model, now: Instant) {
    let palette = Palette::of(ui);
    let total = model.queue().len();
    let same = model
        .queue()
        .front_group()
        .map_or(0, |group| group.items().len());
    let armed = model.arming().clicks(now) && !model.closing();
    let frame = Frame::new()
        .fill(palette.card)
        .inner_margin(Margin::symmetric(MARGIN, 7));
    let panel = Panel::top("waiting").exact_size(43.0).frame(frame);
    panel.show_separator_line(false).show(ui, |ui| {
        edge(ui, false);
        ui.horizontal_centered(|ui| {
            let text = match total {
                1 => "1 question waits".to_owned(),
                total => format!("Question 1 of {total}"),
            };
            ui.label(egui::RichText::new(text).font(bold(14.0)));
            let rest = ui.available_width();
            let others = others(model);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let mut room = rest;
                if same > 1 {
                    let app = model
                        .front()
                        .map(|item| item.question.app.subject.name.clone());
                    let app = show::clip(&app.unwrap_or_default(), 16);
                    let allow = format!("Allow all {same} of {app}");
                    let deny = format!("Deny all {same} of {app}");
                    let before = ui.available_width();
                    if small(ui, &allow, "A", armed).clicked() {
                        model.click(Press::AllowAll, now);
                    }
                    if small(ui, &deny, "D", armed).clicked() {
                        model.click(Press::DenyAll, now);
                    }
                    room -= before - ui.available_width();
                }
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    ui.set_max_width((room - 8.0).max(0.0));
                    cut(ui, &others, regular(13.0), palette.weak);
                });
            });
        });
    });
}

/// `then npm 2, git 1`.
fn others(model: &Model) -> String {
    let groups = model.queue().groups().skip(1).take(5);
    let counts: Vec<String> = groups
        .filter_map(|group| {
            let app = &group.items().front()?.question.app.subject.name;
            Some(format!("{} {}", show::clip(app, 20), group.items().len()))
        })
        .collect();
    match counts.is_empty() {
        true => String::new(),
        false => format!("then {}", counts.join(", ")),
    }
}

pub(super) fn notice(ui: &mut Ui, model: &mut Model) {
    let Some(notice) = model.notice().cloned() else {
        return;
    };
    let palette = Palette::of(ui);
    let mut read = false;
    Frame::new()
        .fill(palette.warn_back)
        .corner_radius(super::theme::CORNER)
        .inner_margin(Margin::symmetric(12, 6))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                let text = show::clip(&notice.text, 300);
                ui.colored_label(palette.warn, text);
                read = small(ui, "Got it", "", true).clicked();
            });
        });
    if read {
        model.forget_notice();
    }
}

fn question(ui: &mut Ui, item: &Item, session: Option<&Session>) {
    let palette = Palette::of(ui);
    let question = &item.question;
    let sentence = Sentence::of(question);
    ui.horizontal_top(|ui| {
        sign(ui, &sentence.app, question.app.identity());
        ui.add_space(6.0);
        ui.vertical(|ui| {
            let strong = format(bold(20.0), palette.text);
            let plain = format(regular(20.0), palette.text);
            let weak = format(regular(20.0), palette.weak);
            let mut job = LayoutJob::default();
            job.append(&sentence.app, 0.0, strong.clone());
            job.append(&format!(" {} ", sentence.verb), 0.0, plain);
            job.append(&sentence.host, 0.0, strong);
            job.append(&sentence.rest, 0.0, weak);
            job.wrap.max_rows = 4;
            job.wrap.max_width = ui.available_width();
            ui.label(job);
            ui.add_space(2.0);
            ui.horizontal_wrapped(|ui| {
                let (word, means) = words::place(&question.place);
                pill(ui, word, place_color(palette, &question.place), means);
                let text = format!("{means} · {}", words::trust(&question.names));
                ui.label(
                    egui::RichText::new(text)
                        .font(regular(13.0))
                        .color(palette.weak),
                );
            });
        });
    });
    ui.add_space(2.0);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        reason(ui, &show::clip(&question.why, 300));
        let argv = words::command(&question.app.argv, 300);
        fact(ui, "Command", &argv);
        if let Some(parents) = words::parents(&question.app.subject.parents) {
            fact(ui, "Started by", &show::clip(&parents, 200));
        }
        let run = session.map(|session| show::clip(&session.command, 120));
        let run = run.filter(|run| *run != argv);
        let run = run.unwrap_or_else(|| "this command".to_owned());
        let mut text = format!("{} · {run}", item.key.session);
        if let Some(terminal) = session.and_then(|session| session.terminal.as_deref()) {
            text.push_str(&format!(" · in {}", show::clip(terminal, 20)));
        }
        fact(ui, "Session", &text);
    });
    ui.add_space(2.0);
}

fn place_color(palette: Palette, place: &str) -> egui::Color32 {
    match place {
        "loopback" => palette.weak,
        "lan" | "multicast" => palette.accent,
        _ => palette.warn,
    }
}

fn fact(ui: &mut Ui, label: &str, value: &str) {
    let palette = Palette::of(ui);
    ui.horizontal(|ui| {
        ui.set_height(18.0);
        lead(ui, label, 104.0);
        cut(ui, value, regular(13.5), palette.text);
    });
}

/// On two lines where it must: runs inside a session say theirs behind the session's.
fn reason(ui: &mut Ui, why: &str) {
    const LABEL: &str = "Asked because";
    const WIDTH: f32 = 104.0;
    let palette = Palette::of(ui);
    let room = ui.available_width() - WIDTH - ui.spacing().item_spacing.x;
    let mut job = LayoutJob::simple(why.to_owned(), regular(13.5), palette.text, room);
    job.wrap.max_rows = 2;
    let text = ui.fonts_mut(|fonts| fonts.layout_job(job));
    if text.rows.len() < 2 {
        return fact(ui, LABEL, why);
    }
    ui.horizontal_top(|ui| {
        ui.scope(|ui| {
            ui.set_height(18.0);
            lead(ui, LABEL, WIDTH);
        });
        ui.label(text);
    });
}

/// The offer to a program that asks again and again.
fn retry(ui: &mut Ui, model: &mut Model, item: &Item, now: Instant) {
    if !model.is_loop(now) {
        return;
    }
    let palette = Palette::of(ui);
    let armed = model.arming().clicks(now) && !model.closing();
    Frame::new()
        .fill(palette.warn_back)
        .corner_radius(super::theme::CORNER)
        .inner_margin(Margin::symmetric(12, 6))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                let app = show::clip(&item.question.app.subject.name, 24);
                ui.colored_label(palette.warn, format!("{app} asks again and again."));
                if small(ui, "Deny for this run", "r", armed).clicked() {
                    model.click(Press::DenyRun, now);
                }
            });
        });
}

/// For how long, how wide, and what rule that makes.
fn reach(ui: &mut Ui, model: &mut Model, item: &Item, choice: Choice, now: Instant) {
    let armed = model.arming().clicks(now) && !model.closing();
    let palette = Palette::of(ui);
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 6.0;
        caption(ui, "For how long");
        if let Some(index) = segments(ui, &lengths(choice, &item.question), armed) {
            let number = u8::try_from(index + 1).unwrap_or(1);
            model.click(Press::Length(number), now);
        }
        ui.add_space(4.0);
        caption(ui, "How wide");
        let offers = &item.question.offers;
        let widths: Vec<Segment> = offers
            .iter()
            .map(|offer| Segment {
                text: words::reach(offer),
                key: String::new(),
                selected: offer.scope == choice.scope && model.edit().is_none(),
                enabled: true,
                hint: format!("{}: {}", words::scope(offer), offer.to.join(", ")),
            })
            .collect();
        if let Some(offer) = segments(ui, &widths, armed).and_then(|index| offers.get(index)) {
            model.click(Press::Width(offer.scope), now);
        }
        ui.add_space(4.0);
        rule(ui, model, item, choice, armed, now);
        let settles = choice.offer(offers).map_or(0, |offer| offer.settles);
        let text = match model.edit() {
            Some(_) => String::new(),
            None => words::settles(&item.question, settles),
        };
        ui.label(
            egui::RichText::new(text)
                .font(regular(13.0))
                .color(palette.weak),
        );
    });
}

fn caption(ui: &mut Ui, text: &str) {
    let palette = Palette::of(ui);
    ui.label(
        egui::RichText::new(text)
            .font(bold(13.0))
            .color(palette.weak),
    );
}

fn lengths(choice: Choice, question: &Question) -> Vec<Segment> {
    let timed = match choice.duration {
        Duration::Seconds(seconds) => seconds,
        _ => TIMES[0],
    };
    let all = [
        Duration::Once,
        Duration::Run,
        Duration::Seconds(timed),
        Duration::Always,
    ];
    (1_u8..)
        .zip(all)
        .map(|(number, duration)| {
            let enabled = duration != Duration::Always || question.may_save;
            let mut hint = words::duration_means(duration, question.hold);
            if matches!(duration, Duration::Seconds(_)) {
                hint.push_str("; choose it again for another length");
            }
            if !enabled {
                "not in this run: it leaves your saved rules out".clone_into(&mut hint);
            }
            Segment {
                text: words::duration(duration),
                key: number.to_string(),
                selected: choice.number() == number,
                enabled,
                hint,
            }
        })
        .collect()
}

fn rule(ui: &mut Ui, model: &mut Model, item: &Item, choice: Choice, armed: bool, now: Instant) {
    let palette = Palette::of(ui);
    let problem = model.edit_problem();
    if let Some(edit) = model.edit_mut() {
        let mut cancel = false;
        ui.horizontal(|ui| {
            let label = ui.label("Rule for");
            let width = ui.available_width() - 90.0;
            let field = egui::TextEdit::singleline(&mut edit.text)
                .char_limit(4096)
                .desired_width(width);
            let field = ui.add(field).labelled_by(label.id);
            if std::mem::take(&mut edit.is_new) {
                field.request_focus();
            }
            cancel = small(ui, "Undo edit", "Esc", true).clicked();
        });
        match problem {
            Some(problem) => {
                ui.colored_label(palette.deny, format!("✕ {}", show::clip(&problem, 200)));
            }
            None => {
                ui.colored_label(palette.allow, "✓ covers the call that waits");
            }
        }
        if cancel {
            model.drop_edit();
        }
        return;
    }
    ui.horizontal(|ui| {
        let to = choice
            .offer(&item.question.offers)
            .map(|offer| offer.to.clone());
        let text = words::either_rule(&to.unwrap_or_default(), &item.question, choice.duration);
        let width = ui.available_width() - 93.0;
        cell(ui, &text, regular(14.0), palette.text, width);
        let can_edit = armed && choice.duration != Duration::Once;
        if small(ui, "Edit rule", "e", can_edit).clicked() {
            model.click(Press::Edit, now);
        }
    });
}

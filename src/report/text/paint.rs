//! Colour: few, and never the only carrier of a meaning.

use anstyle::{AnsiColor, Style};

use crate::model::Action;

/// Whether to paint.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub bool);

impl Paint {
    fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub fn title(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub fn faint(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub fn warn(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    pub fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    /// The sign of an action.
    pub fn sign(self, action: Action) -> String {
        let (sign, colour) = match action {
            Action::Create => ("+", AnsiColor::Green),
            Action::Update => ("~", AnsiColor::Yellow),
            Action::Enable => ("^", AnsiColor::Cyan),
            Action::Disable => ("-", AnsiColor::Red),
        };
        self.with(colour.on_default(), sign)
    }
}

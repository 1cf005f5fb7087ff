//! Progress on a terminal: a line for each step of a pass, drawn on standard error and gone when the pass has
//! something to say. Where nobody looks, nothing is drawn: see [`of`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::io::Terminal;
use crate::engine::{Progress, Silent, Step};

/// While a step is silent its line still shows the time that passes.
const TICK: Duration = Duration::from_millis(500);

/// How lines look.
#[derive(Clone, Copy)]
struct Look {
    /// A step while it runs, where it is known how many there are.
    counted: &'static str,
    /// And where it is not.
    counting: &'static str,
    /// And when it is over.
    over: &'static str,
}

const WIDE: Look = Look {
    counted: "  {prefix:32} {human_pos:>9} of {human_len}, {rate}{elapsed}",
    counting: "  {prefix:32} {human_pos:>9}, {rate}{elapsed}",
    over: "  {prefix:32} {human_pos:>9} in {elapsed}",
};

/// The step is cut to what the numbers leave: a line that takes two could not be wiped.
const NARROW: Look = Look {
    counted: "{wide_msg} {human_pos}/{human_len} {elapsed}",
    counting: "{wide_msg} {human_pos} {elapsed}",
    over: "{wide_msg} {human_pos} {elapsed}",
};

/// Columns that the longest wide line needs.
const ENOUGH: u16 = 80;

/// Who is told of progress: lines on standard error where it is a terminal on which a cursor moves, else nobody.
pub(super) fn of(terminal: Terminal, term: Option<&str>) -> Arc<dyn Progress> {
    if terminal.error && term != Some("dumb") {
        let columns = terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| width.0);
        Arc::new(Lines::new(ProgressDrawTarget::stderr(), Some(TICK), columns))
    } else {
        Arc::new(Silent)
    }
}

/// Which line.
type Place = (Option<&'static str>, Step);

/// A line for each pipeline and step.
struct Lines {
    all: MultiProgress,
    bars: Mutex<BTreeMap<Place, ProgressBar>>,
    tick: Option<Duration>,
    look: Look,
}

impl Lines {
    fn new(target: ProgressDrawTarget, tick: Option<Duration>, columns: Option<u16>) -> Self {
        let look = if columns.is_some_and(|columns| columns < ENOUGH) { NARROW } else { WIDE };
        Self { all: MultiProgress::with_draw_target(target), bars: Mutex::default(), tick, look }
    }

    fn bars(&self) -> MutexGuard<'_, BTreeMap<Place, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, (pipeline, step): Place, total: Option<u64>) -> ProgressBar {
        let bar = self.all.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
        bar.set_style(style(if total.is_some() { self.look.counted } else { self.look.counting }));
        let pipeline = pipeline.map(|name| format!("{name}: ")).unwrap_or_default();
        let label = format!("{pipeline}{}", words(step));
        bar.set_message(label.clone());
        bar.set_prefix(label);
        if let Some(tick) = self.tick {
            bar.enable_steady_tick(tick);
        }
        bar
    }

    fn finish(&self, bar: &ProgressBar) {
        if !bar.is_finished() {
            bar.set_style(style(self.look.over));
            bar.abandon();
        }
    }
}

impl Progress for Lines {
    fn tell(&self, pipeline: Option<&'static str>, step: Step, done: u64, total: Option<u64>) {
        let mut bars = self.bars();
        let bar = if let Some(bar) = bars.get(&(pipeline, step)) {
            bar.clone()
        } else {
            let earlier = |place: &Place| place.0 == pipeline && !side_by_side(place.1, step);
            bars.iter().filter(|(place, _)| earlier(place)).for_each(|(_, bar)| self.finish(bar));
            let bar = self.begin((pipeline, step), total);
            bars.insert((pipeline, step), bar.clone());
            bar
        };
        if bar.is_finished() {
            return;
        }
        if let Some(total) = total {
            if bar.length().is_none() {
                bar.set_style(style(self.look.counted));
            }
            bar.set_length(total);
        }
        bar.set_position(bar.position().max(done));
        if Some(done) == total {
            self.finish(&bar);
        }
    }

    fn end(&self) {
        let bars = std::mem::take(&mut *self.bars());
        bars.values().for_each(ProgressBar::finish_and_clear);
        // A terminal that went away shows nothing any more.
        let _ = self.all.clear();
    }

    fn aside(&self, write: &mut dyn FnMut()) {
        self.all.suspend(write);
    }
}

/// A template that does not parse shows the library's own line.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
        // What cannot be written is not shown.
        let _ = out.write_str(&rate(state.pos(), state.elapsed()));
    })
}

/// How many in a second since the step began; nothing in its first second, when that says nothing.
fn rate(done: u64, elapsed: Duration) -> String {
    match u64::try_from(elapsed.as_millis()) {
        Ok(ms) if ms >= 1_000 => format!("{}/s, ", HumanCount(done.saturating_mul(1_000) / ms)),
        _ => String::new(),
    }
}

/// A step that begins ends the others of its pipeline, but for these: the sources are read side by side, and what
/// was written is read back while the next is written.
fn side_by_side(one: Step, other: Step) -> bool {
    let group = |step| match step {
        Step::Directory | Step::Vault => Some(0),
        Step::Apply | Step::Confirm => Some(1),
        Step::Project | Step::Observe(_) | Step::Diff(_) => None,
    };
    group(one).is_some() && group(one) == group(other)
}

fn words(step: Step) -> String {
    match step {
        Step::Directory => "people in Portal LDAP".to_owned(),
        Step::Vault => "people in MetaVault".to_owned(),
        Step::Project => "people worked out".to_owned(),
        Step::Observe(kind) => format!("{kind} read"),
        Step::Diff(kind) => format!("{kind} compared"),
        Step::Apply => "changes made".to_owned(),
        Step::Confirm => "changes read back".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps every write.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<(String, Vec<String>)>>, u16);

    impl Kept {
        fn lines(target: &Self) -> Lines {
            let shown = ProgressDrawTarget::term_like_with_hz(Box::new(target.clone()), 250);
            Lines::new(shown, None, Some(target.width()))
        }

        /// Every text that was shown.
        fn said(&self) -> String {
            self.0.lock().unwrap().0.clone()
        }

        /// What was drawn since lines were last wiped.
        fn now(&self) -> Vec<String> {
            self.0.lock().unwrap().1.clone()
        }
    }

    impl TermLike for Kept {
        fn width(&self) -> u16 {
            if self.1 == 0 { 100 } else { self.1 }
        }

        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> std::io::Result<()> {
            let mut kept = self.0.lock().unwrap();
            kept.0 += text;
            kept.0.push('\n');
            kept.1.push(text.trim().to_owned());
            kept.1.retain(|line| !line.is_empty());
            Ok(())
        }

        fn clear_line(&self) -> std::io::Result<()> {
            self.0.lock().unwrap().1.clear();
            Ok(())
        }

        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A pass over 20 000 people.
    fn pass(progress: &dyn Progress) {
        for read in (0..=20_000).step_by(500) {
            progress.tell(None, Step::Directory, read, None);
            progress.tell(None, Step::Vault, read, Some(20_000));
        }
        progress.tell(None, Step::Project, 0, Some(20_000));
        progress.tell(None, Step::Project, 20_000, Some(20_000));
        for kind in ["account", "enrolments"] {
            progress.tell(Some("moodle"), Step::Observe(kind), 9_000, None);
            progress.tell(Some("moodle"), Step::Diff(kind), 9_000, Some(9_000));
        }
        progress.tell(None, Step::Apply, 1, Some(1_200));
    }

    #[test]
    fn a_long_pass_says_what_it_does_and_how_far_it_is() {
        let screen = Kept::default();
        let lines = Kept::lines(&screen);
        pass(&lines);
        for _ in 0..2 {
            lines.bars().values().for_each(ProgressBar::tick);
        }
        let said = screen.said();
        for line in [
            "people in Portal LDAP",
            "20,000 in ",
            "people in MetaVault",
            "moodle: account compared",
            "9,000 in ",
            "1 of 1,200, 0s",
        ] {
            assert!(said.contains(line), "{line} is not in\n{said}");
        }
        assert!(!said.contains('\u{1b}'), "no colours of our own");
        let bars = lines.bars();
        let over: Vec<&Place> = bars.iter().filter(|(_, bar)| bar.is_finished()).map(|(place, _)| place).collect();
        assert_eq!(over.len(), bars.len() - 1, "only the changes are still being made: {over:?}");
        assert!(!bars[&(None, Step::Apply)].is_finished());
    }

    #[test]
    fn on_a_narrow_terminal_a_line_is_one_line() {
        let screen = Kept(Arc::default(), 40);
        let lines = Kept::lines(&screen);
        pass(&lines);
        lines.tell(Some("moodle-courses"), Step::Diff("enrolments"), 100_000, Some(1_000_000));
        for _ in 0..2 {
            lines.bars().values().for_each(ProgressBar::tick);
        }
        let said = screen.said();
        let longest = said.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 40, "{said}");
        for line in ["people in Portal LDAP", "20,000 0s", "moodle-courses: en", "100,000/1,000,000 0s"] {
            assert!(said.contains(line), "{line} is not in\n{said}");
        }
    }

    #[test]
    fn the_rate_is_that_of_the_whole_step() {
        assert_eq!(rate(700, Duration::from_millis(999)), "");
        assert_eq!(rate(20_000, Duration::from_millis(2_500)), "8,000/s, ");
        let screen = Kept::default();
        let lines = Kept::lines(&screen);
        lines.tell(None, Step::Directory, 500, None);
        let bars = lines.bars();
        bars[&(None, Step::Directory)].set_elapsed(Duration::from_secs(10));
        bars[&(None, Step::Directory)].force_draw();
        assert!(screen.said().contains("500, 50/s, 10s"), "{}", screen.said());
    }

    #[test]
    fn nothing_stays_when_the_pass_has_something_to_say_and_the_next_begins_anew() {
        let screen = Kept::default();
        let lines = Kept::lines(&screen);
        pass(&lines);
        lines.end();
        assert_eq!(screen.now(), Vec::<String>::new());
        assert!(lines.bars().is_empty());
        lines.tell(None, Step::Directory, 3, None);
        assert_eq!(lines.bars()[&(None, Step::Directory)].position(), 3);
    }

    #[test]
    fn a_count_never_goes_back_and_the_two_sources_run_side_by_side() {
        let lines = Kept::lines(&Kept::default());
        lines.tell(None, Step::Directory, 500, None);
        lines.tell(None, Step::Vault, 1, None);
        lines.tell(None, Step::Directory, 400, None);
        assert_eq!(lines.bars()[&(None, Step::Directory)].position(), 500);
        assert!(lines.bars().values().all(|bar| !bar.is_finished()));
        lines.tell(None, Step::Project, 0, None);
        assert_eq!(lines.bars().values().filter(|bar| bar.is_finished()).count(), 2);
    }

    #[test]
    fn what_is_logged_stands_on_lines_of_its_own() {
        let screen = Kept::default();
        let lines = Kept::lines(&screen);
        lines.tell(None, Step::Directory, 500, None);
        let mut between = None;
        lines.aside(&mut || between = Some(screen.now()));
        assert_eq!(between, Some(Vec::new()), "the lines are away while somebody else writes");
    }

    #[test]
    fn where_nobody_looks_nothing_is_drawn() {
        let lines = Lines::new(ProgressDrawTarget::hidden(), None, None);
        pass(&lines);
        assert!(lines.all.is_hidden());
        let terminal = Terminal { input: true, output: true, error: true };
        // Whoever draws would hold these: one that is silent tells nobody and keeps nothing.
        for (terminal, term) in [(Terminal::default(), Some("xterm")), (terminal, Some("dumb"))] {
            let silent = of(terminal, term);
            let before = Arc::strong_count(&silent);
            pass(silent.as_ref());
            assert_eq!((Arc::strong_count(&silent), std::mem::size_of_val(silent.as_ref())), (before, 0));
        }
        assert_ne!(std::mem::size_of_val(of(terminal, Some("xterm")).as_ref()), 0);
    }
}

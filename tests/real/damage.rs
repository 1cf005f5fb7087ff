//! Files of the store that somebody or something has overwritten or taken away.

use std::fs;

use crate::rig::Rig;

#[test]
fn a_damaged_file_is_told_with_what_to_do_and_doing_it_works() {
    let rig = Rig::loaded(95, 100);
    for (name, next) in [("sources.redb", "it is a cache"), ("moodle.redb", "store/claims/moodle.jsonl")] {
        let file = rig.path("store").join(name);
        let mut bytes = fs::read(&file).unwrap();
        // All pages behind the first, whose header says that they are whole.
        bytes[4096..].iter_mut().zip((0..=250_u8).cycle()).for_each(|(byte, noise)| *byte = noise ^ 0x5a);
        fs::write(&file, bytes).unwrap();
        let run = rig.run(&["--plan"]).expect(1);
        run.says(&[name, "is damaged; move the file away", next]).gives_nobody_away(&rig);
        for noise in ["panicked", "backtrace", ".rs:", "INTERNAL_ERROR"] {
            assert!(!run.text().contains(noise), "{}", run.text());
        }
        fs::rename(&file, rig.path(name)).unwrap();
        let calls = rig.writing_calls();
        let run = rig.run(&["--yes"]).expect(0);
        assert_eq!(run.text().contains("CLAIMS_RESTORED"), name == "moodle.redb", "{}", run.text());
        assert_eq!(rig.writing_calls(), calls, "nothing is made twice");
    }
    assert!(!rig.run(&["--plan"]).expect(0).text().contains("CLAIMS_RESTORED"));
    rig.everybody_has_one_account();
}

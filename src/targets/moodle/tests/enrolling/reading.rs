//! What is read of who is enrolled in what.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_report_and_the_courses_themselves_show_the_same_elements() {
    let mut readings = Vec::new();
    for more in ["", BY_REPORT] {
        let site = site(more);
        let [kari, ola, eva] = ["kari", "ola", "eva"].map(|name| site.add(name, "oidc"));
        let (a, b, other) = (site.course("A"), site.course("ØKO-1"), site.course_called("Playground"));
        site.course("EMPTY");
        site.put(a, kari, MANUAL, &["student"]);
        site.put(a, ola, MANUAL, &["teacher", "editingteacher"]);
        site.put(b, ola, "self", &["student"]);
        site.put(b, eva, MANUAL, &["manager"]);
        site.put(other, kari, MANUAL, &["student"]);
        let page = site.page(&[("kari", kari), ("ola", ola)]).await;
        let seen: Vec<_> = page.seen.iter().map(|seen| (handle_of(seen), elements_of(seen))).collect();
        assert_eq!(page.read, BTreeSet::from(["A", "EMPTY", "ØKO-1"].map(key)));
        assert!(page.unread.is_empty() && page.end == Some(End { total: None }));
        assert!(page.strangers > 0);
        readings.push(seen);
    }
    assert_eq!(readings[0], readings[1]);
    assert_eq!(readings[0][1], ("ola".into(), elements(&["A/teacher", "A/editingteacher", "ØKO-1/student"])));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_by_another_method_is_kept_and_what_is_there_by_both_is_not() {
    let site = site(BY_REPORT);
    let [kari, ola, eva] = ["kari", "ola", "eva"].map(|name| site.add(name, "oidc"));
    let a = site.course("A");
    site.put(a, kari, "self", &["student"]);
    site.put(a, ola, MANUAL, &["student"]);
    site.put(a, ola, "cohort", &[]);
    site.put(a, eva, MANUAL, &["student", "manager"]);
    let read = site.read(&[("kari", kari), ("ola", ola), ("eva", eva)]).await;
    assert_eq!(read["kari"], (elements(&["A/student"]), elements(&["A/student"])));
    assert_eq!(read["ola"], (elements(&["A/student"]), BTreeSet::new()));
    assert_eq!(
        read["eva"],
        (elements(&["A/student", "A/manager"]), elements(&["A/manager"])),
        "a role outside the map"
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_report_everything_is_kept() {
    let site = site("");
    let kari = site.add("kari", "oidc");
    site.put(site.course("A"), kari, MANUAL, &["student"]);
    assert_eq!(site.read(&[("kari", kari)]).await["kari"], (elements(&["A/student"]), elements(&["A/student"])));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_or_expired_enrolment_is_there() {
    for more in ["", BY_REPORT, SUSPEND] {
        let site = site(more);
        let [kari, ola] = ["kari", "ola"].map(|name| site.add(name, "oidc"));
        let a = site.course("A");
        for user in [kari, ola] {
            site.put(a, user, MANUAL, &["student"]);
        }
        site.world().edit_member(a, kari, |member| member.methods.get_mut(MANUAL).unwrap().suspended = true);
        site.world().edit_member(a, ola, |member| member.methods.get_mut(MANUAL).unwrap().timeend = 1);
        let read = site.read(&[("kari", kari), ("ola", ola)]).await;
        assert!(read.values().all(|(all, _)| *all == elements(&["A/student"])), "{more}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_in_a_course_without_a_role_is_told_to_the_writer_only() {
    let known = [(BY_REPORT, "self", true), (BY_REPORT, MANUAL, true), (SUSPEND, MANUAL, false), ("", MANUAL, true)];
    for (more, method, known) in known {
        let site = site(more);
        let kari = site.add("kari", "oidc");
        site.put(site.course("A"), kari, method, &[]);
        let read = site.read(&[("kari", kari)]).await;
        assert_eq!(read.get("kari").is_some_and(|(_, kept)| *kept == elements(&["A/"])), known, "{more} {method}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_courses_of_the_asked_semesters_that_stand_once_are_ours() {
    for more in ["", BY_REPORT] {
        let site = site(more);
        let kari = site.add("kari", "oidc");
        let courses = ["185:A:1:2026:VÅR", "194:A:1:2026:HØST", "185:B:1:2026:HØST", "185:B:1:2026:HØST"];
        for idnumber in courses {
            site.put(site.course_called(idnumber), kari, MANUAL, &["student"]);
        }
        let page = site.page(&[("kari", kari)]).await;
        assert!(page.seen.is_empty() && page.read.is_empty() && page.unread.is_empty(), "{page:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_course_that_cannot_be_read_leaves_the_others_and_ends_with_the_error() {
    let site = site("");
    let kari = site.add("kari", "oidc");
    for code in ["A", "B", "C"] {
        site.put(site.course(code), kari, MANUAL, &["student"]);
    }
    site.gate.faults().next(1, Some("core_enrol_get_enrolled_users"), Fault::InvalidToken);
    let ask = Parts { wholes: vec![whole(&("kari", kari))], all: true, ..within() };
    let pages: Vec<_> = site.target.observer.reader.observe(ENROLMENTS, Ask::Parts(ask)).collect().await;
    let [Ok(page), Err(error)] = &pages[..] else { panic!("a page and an error: {pages:?}") };
    assert_eq!((page.read.len(), page.unread.len(), page.end), (2, 1, None));
    assert_eq!(elements_of(&page.seen[0]).len(), 2);
    assert_eq!(error.kind, ErrorKind::Auth);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_is_down_is_not_asked_for_every_course() {
    let site = site("[pace]\nper_second = 20\nburst = 10\nconcurrency = 1\n");
    for nth in 0..10 {
        site.course(&format!("C{nth}"));
    }
    site.gate.faults().always(Some("core_enrol_get_enrolled_users"), Fault::DatabaseDown);
    let ask = Parts { all: true, ..within() };
    let pages: Vec<_> = site.target.observer.reader.observe(ENROLMENTS, Ask::Parts(ask)).collect().await;
    let [Ok(page), Err(error)] = &pages[..] else { panic!("a page and an error: {pages:?}") };
    assert_eq!((page.unread.len(), page.read.len(), error.kind), (10, 0, ErrorKind::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn only_the_courses_that_matter_are_asked_for() {
    let site = site("");
    let kari = site.add("kari", "oidc");
    for code in ["A", "B", "C"] {
        site.put(site.course(code), kari, MANUAL, &["student"]);
    }
    let scopes = Some(BTreeSet::from([key("B"), key("NOT-MADE")]));
    let ask = Parts { wholes: vec![whole(&("kari", kari))], scopes, ..within() };
    let pages: Vec<Page> =
        site.target.observer.reader.observe(ENROLMENTS, Ask::Parts(ask)).try_collect().await.unwrap();
    assert_eq!(elements_of(&pages[0].seen[0]), elements(&["B/student"]));
    assert_eq!(pages[0].read, BTreeSet::from([key("B")]));
    assert_eq!(pages[0].unread, BTreeSet::from([key("A"), key("C")]));
    assert_eq!(site.world().calls()["core_enrol_get_enrolled_users"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_few_people_are_known_by_the_names_they_bear_now() {
    let site = site(BY_REPORT);
    let kari = site.add("kari", "oidc");
    site.put(site.course("A"), kari, MANUAL, &["student"]);
    let known_as = |name: &str, id: Option<u64>| {
        let remote = Remote { id: id.map(|id| id.to_string()), handle: Some(name.to_owned()) };
        Ask::Parts(Parts { wholes: vec![("k".into(), remote)], ..within() })
    };
    for (name, id, found) in [("old", Some(kari), 1), ("KARI", None, 1), ("old", None, 0)] {
        let reading = site.target.observer.reader.observe(ENROLMENTS, known_as(name, id));
        let pages: Vec<Page> = reading.try_collect().await.unwrap();
        assert_eq!(pages[0].seen.len(), found, "{name} {id:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_report_or_one_with_rows_twice_is_no_reading() {
    for fault in [Fault::HalfReport, Fault::DuplicateRows] {
        let site = site(BY_REPORT);
        let a = site.course("A");
        for nth in 0..20 {
            let user = site.add(&format!("user{nth}"), "oidc");
            site.put(a, user, MANUAL, &["student"]);
        }
        site.gate.faults().next(1, Some("core_reportbuilder_retrieve_report"), fault.clone());
        assert_eq!(site.parts(&[]).await.unwrap_err().kind, ErrorKind::Malformed, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_course_that_stands_in_no_row_of_the_report_was_not_read() {
    let site = site(BY_REPORT);
    let kari = site.add("kari", "oidc");
    let (a, b) = (site.course("A"), site.course("B"));
    for course in [a, b] {
        site.put(course, kari, MANUAL, &["student"]);
    }
    // What a condition of the report would hide.
    site.world().edit_course(b, |course| course.manual = None);
    let ask = Parts { wholes: vec![whole(&("kari", kari))], all: true, ..within() };
    let pages: Vec<_> = site.target.observer.reader.observe(ENROLMENTS, Ask::Parts(ask)).collect().await;
    let [Ok(page), Err(error)] = &pages[..] else { panic!("a page and an error: {pages:?}") };
    assert_eq!((&page.read, &page.unread, page.end), (&[key("A")].into(), &[key("B")].into(), None));
    assert_eq!(elements_of(&page.seen[0]), elements(&["A/student"]));
    assert!(error.kind == ErrorKind::Malformed && error.message.contains("condition"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_pass_with_nothing_to_do_sends_few_requests() {
    let site = site(&format!("{REPORT}{BY_REPORT}"));
    let kari = site.add("kari", "oidc");
    for nth in 0..40 {
        site.put(site.course(&format!("C{nth}")), kari, MANUAL, &["student"]);
    }
    let before = site.world().digest();
    site.target.observer.reader.identity().await.unwrap();
    site.all().await.unwrap();
    assert_eq!(elements_of(&site.page(&[("kari", kari)]).await.seen[0]).len(), 40);
    let sent: u64 = site.world().calls().values().sum();
    assert!(sent <= 10, "{sent}: {:?}", site.world().calls());
    assert_eq!(site.world().digest(), before);
}

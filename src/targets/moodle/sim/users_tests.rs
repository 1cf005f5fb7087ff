//! Properties of the user functions.

use serde_json::{Value, json};

use super::testing::{ask, at, code, site, token_form, user};
use super::*;

const CREATE: &str = "core_user_create_users";
const UPDATE: &str = "core_user_update_users";
const BY_FIELD: &str = "core_user_get_users_by_field";
const SEARCH: &str = "core_user_get_users";

/// A create of one user with these fields added or replaced.
fn create_with(world: &World, name: &str, changes: &[(&str, &str)]) -> Value {
    let email = format!("{name}@example.invalid");
    let mut record = vec![
        ("username", name),
        ("firstname", "Kari"),
        ("lastname", "Nordmann"),
        ("email", email.as_str()),
        ("auth", "oidc"),
    ];
    for (key, value) in changes {
        record.retain(|(known, _)| known != key);
        record.push((key, value));
    }
    let fields: Vec<(String, &str)> =
        record.into_iter().map(|(key, value)| (format!("users[0][{}]", key.replace('.', "][")), value)).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    ask(world, CREATE, &fields)
}

#[test]
fn a_bad_value_is_refused_without_a_word_about_which() {
    let long = "x".repeat(101);
    let longer = "x".repeat(256);
    for (key, value, want) in [
        ("username", "Kari", "invalidparameter"),
        ("username", "kari+1", "invalidparameter"),
        ("username", "kåre", "invalidparameter"),
        ("username", "kari.n_1-2@uni", ""),
        ("username", long.as_str(), "dmlwriteexception"),
        ("firstname", "<b>Kari</b>", "invalidparameter"),
        ("firstname", "a<", "invalidparameter"),
        ("firstname", "Per & \"P\" O'", ""),
        ("firstname", "  ", "invalidparameter"),
        ("lastname", "bell\u{7}", "invalidparameter"),
        ("lastname", long.as_str(), "dmlwriteexception"),
        ("email", "no-at-sign", "invalidparameter"),
        ("email", " kari@uni.no", "invalidparameter"),
        ("email", "", "invalidparameter"),
        ("auth", "saml2", "invalidparameter"),
        ("auth", "manual", "invalidparameter"),
        ("auth", "ldap", ""),
        ("lang", "nn", "invalidparameter"),
        ("lang", "nb", ""),
        ("department", longer.as_str(), "dmlwriteexception"),
        ("phone1", "123456789012345678901", "dmlwriteexception"),
        ("idnumber", "  not trimmed ", ""),
        ("suspended", "0", "invalidparameter"),
        ("zzz", "1", "invalidparameter"),
        ("createpassword", "true", "invalidparameter"),
        ("customfields.0.type", "unknown", "invalidparameter"),
        ("country", "XX", ""),
        ("lastname", "😀", ""),
    ] {
        let world = site();
        let before = world.digest();
        let answer = create_with(&world, "kari", &[(key, value)]);
        assert_eq!(answer["errorcode"].as_str().unwrap_or_default(), want, "{key}={value}");
        assert_eq!(world.digest() == before, !want.is_empty(), "{key}={value}");
        assert!(answer.get("debuginfo").is_none());
    }
}

#[test]
fn the_causes_are_checked_in_the_site_s_order() {
    let world = site();
    world.edit_plan(|plan| plan.debugging = true);
    world.add_user(user("taken")).unwrap();
    let cause = |changes: &[(&str, &str)]| {
        create_with(&world, "taken", changes)["debuginfo"].as_str().unwrap_or_default().to_owned()
    };
    let bad: &[(&str, &str)] =
        &[("firstname", " "), ("auth", "saml2"), ("lang", "nn"), ("email", "TAKEN@example.invalid")];
    assert!(cause(bad).contains("firstname"));
    assert!(cause(&bad[1..]).contains("Username already exists"));
    let free: Vec<_> = bad[1..].iter().copied().chain([("username", "free")]).collect();
    assert!(cause(&free).contains("authentication"));
    assert!(cause(&free[1..]).contains("language"));
    assert!(cause(&free[2..]).contains("address already exists"));
    assert!(cause(&[("username", "free"), ("auth", "manual"), ("email", "x")]).contains("password"));
}

#[test]
fn a_refused_password_puts_its_policy_in_the_code() {
    let world = site();
    let answer = create_with(&world, "kari", &[("auth", "manual"), ("password", "short")]);
    assert!(answer["errorcode"].as_str().unwrap().starts_with("<div>Passwords must have"));
    let answer = create_with(&world, "kari", &[("auth", "manual"), ("password", "Long-enough1")]);
    assert_eq!(answer[0]["username"], "kari");
    assert!(world.user("kari").unwrap().has_password);
    create_with(&world, "ola", &[("auth", "manual"), ("createpassword", "1")]);
    assert_eq!(world.mail().sent, 1);
}

#[test]
fn one_bad_record_of_many_undoes_all_and_burns_their_ids() {
    let world = site();
    world.add_user(user("taken")).unwrap();
    let before = world.digest();
    let mut fields = Vec::new();
    for (place, name) in ["a", "b", "taken"].iter().enumerate() {
        for (key, value) in [("username", *name), ("firstname", "A"), ("lastname", "B"), ("auth", "oidc")] {
            fields.push((format!("users[{place}][{key}]"), value.to_owned()));
        }
        fields.push((format!("users[{place}][email]"), format!("{name}@new.example")));
    }
    let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(code(&world, CREATE, &fields), "invalidparameter");
    assert_eq!(world.digest(), before);
    assert_eq!(create_with(&world, "next", &[])[0]["id"], 7);
    assert_eq!(world.writes(), Writes { calls: 2, records: 1 });
}

#[test]
fn an_address_is_unique_without_case_unless_the_site_allows_it() {
    let world = site();
    create_with(&world, "a", &[("email", "Same@Example.invalid")]);
    assert_eq!(create_with(&world, "b", &[("email", "same@example.INVALID")])["errorcode"], "invalidparameter");
    world.edit_plan(|plan| plan.same_email = true);
    assert_eq!(create_with(&world, "b", &[("email", "same@example.INVALID")])[0]["username"], "b");
}

#[test]
fn an_update_warns_per_user_and_applies_the_rest() {
    let world = site();
    let a = world.add_user(user("a")).unwrap();
    let gone = world.add_user(user("gone")).unwrap();
    let remote = world.add_user(User { remote: true, ..user("remote") }).unwrap();
    world.add_user(user("b")).unwrap();
    world.delete_user(gone, at(0));
    let long = "x".repeat(256);
    for (id, key, value, want) in [
        (9999, "city", "Oslo", "invaliduserid"),
        (ADMIN, "city", "Oslo", "usernotupdatedadmin"),
        (GUEST, "city", "Oslo", "usernotupdatedguest"),
        (gone, "city", "Oslo", "usernotupdateddeleted"),
        (remote, "city", "Oslo", "usernotupdatedremote"),
        (a, "email", "B@example.invalid", "useremailduplicate"),
        (a, "email", "nonsense", "useremailinvalid"),
        (a, "username", "b", "dmlwriteexception"),
        (a, "department", long.as_str(), "dmlwriteexception"),
    ] {
        let id = id.to_string();
        let a = a.to_string();
        let key = format!("users[0][{key}]");
        let fields = [("users[0][id]", id.as_str()), (&key, value), ("users[1][id]", &a), ("users[1][idnumber]", want)];
        let answer = ask(&world, UPDATE, &fields);
        assert_eq!(answer["warnings"][0]["warningcode"], want);
        assert_eq!(answer["warnings"][0]["item"], "user");
        assert_eq!(answer["warnings"].as_array().unwrap().len(), 1);
        assert_eq!(world.user("a").unwrap().idnumber, want, "the rest was applied");
    }
}

#[test]
fn a_type_error_fails_the_whole_update() {
    let world = site();
    let a = world.add_user(user("a")).unwrap().to_string();
    let before = world.digest();
    for (key, value) in [
        ("users[1][auth]", "saml2"),
        ("users[1][lang]", "nn"),
        ("users[1][username]", "Upper"),
        ("users[1][suspended]", "true"),
        ("users[1][zzz]", "1"),
        ("users[1][createpassword]", "1"),
        ("users[1][id]", "x"),
        ("zzz", "1"),
    ] {
        let fields = [("users[0][id]", a.as_str()), ("users[0][city]", "Oslo"), ("users[1][id]", &a), (key, value)];
        assert_eq!(code(&world, UPDATE, &fields), "invalidparameter", "{key}");
    }
    assert_eq!(code(&world, UPDATE, &[("users[0][city]", "Oslo")]), "invalidparameter");
    assert_eq!(world.digest(), before);
}

#[test]
fn only_what_is_sent_changes_and_an_empty_text_clears() {
    let world = site();
    let id = world.add_user(User { department: "Math".into(), city: "Oslo".into(), ..user("a") }).unwrap().to_string();
    let fields = [
        ("users[0][id]", id.as_str()),
        ("users[0][department]", ""),
        ("users[0][suspended]", "1"),
        ("users[0][firstname]", ""),
        ("users[0][username]", "renamed"),
    ];
    assert_eq!(ask(&world, UPDATE, &fields), json!({"warnings": []}));
    let user = world.user("renamed").unwrap();
    assert!(user.suspended && user.department.is_empty() && user.firstname.is_empty() && user.city == "Oslo");
    assert!(world.user("a").is_none());
}

#[test]
fn reading_by_field_is_exact_and_a_cleaned_value_is_refused() {
    let world = site();
    for (name, number) in [("a", "100"), ("b", "100"), ("c", "")] {
        world.add_user(User { idnumber: number.into(), ..user(name) }).unwrap();
    }
    let names = |field: &str, values: &[&str]| {
        let mut fields = vec![("field", field)];
        fields.extend(values.iter().map(|value| ("values[]", *value)));
        let answer = ask(&world, BY_FIELD, &fields);
        match answer.as_array() {
            Some(list) => list.iter().map(|user| user["username"].as_str().unwrap()).collect::<Vec<_>>().join(" "),
            None => answer["errorcode"].as_str().unwrap().to_owned(),
        }
    };
    assert_eq!(names("idnumber", &["100"]), "a b");
    assert_eq!(names("idnumber", &[""]), "");
    assert_eq!(names("username", &["b", "none", "a"]), "a b");
    assert_eq!(names("username", &["A"]), "invalidparameter");
    assert_eq!(names("email", &["a@example.invalid"]), "a");
    assert_eq!(names("email", &["A@example.invalid"]), "");
    assert_eq!(names("id", &["x"]), "invalidparameter");
    assert_eq!(names("city", &["x"]), "codingerror");
    assert_eq!(code(&world, BY_FIELD, &[("field", "id")]), "invalidparameter");
}

#[test]
fn a_deleted_user_comes_back_by_id_in_disguise() {
    let world = site();
    let id = world.add_user(User { idnumber: "1".into(), ..user("gone") }).unwrap().to_string();
    assert_eq!(ask(&world, "core_user_delete_users", &[("userids[0]", id.as_str())]), Value::Null);
    let user = &ask(&world, BY_FIELD, &[("field", "id"), ("values[0]", id.as_str())])[0];
    assert_eq!(user["username"], format!("gone@example.invalid.{}", at(0).as_second()));
    assert_eq!(user["email"].as_str().unwrap().len(), 32);
    assert!(user.get("idnumber").is_none());
    for (field, value) in [("username", "gone"), ("email", "gone@example.invalid"), ("idnumber", "1")] {
        assert_eq!(ask(&world, BY_FIELD, &[("field", field), ("values[0]", value)]), json!([]));
    }
    assert_eq!(create_with(&world, "gone", &[])[0]["username"], "gone", "the name is free");
    for (id, want) in [(id.as_str(), "invaliduser"), ("2", "useradminodelete"), ("3", "usernotdeletederror")] {
        assert_eq!(code(&world, "core_user_delete_users", &[("userids[0]", id)]), want);
    }
}

#[test]
fn a_search_with_only_unsupported_keys_returns_everyone() {
    let world = site();
    world.add_user(user("axb")).unwrap();
    let gone = world.add_user(user("gone")).unwrap();
    world.delete_user(gone, at(0));
    let names = |criteria: &[(&str, &str)]| {
        let answer = ask(&world, SEARCH, criteria);
        let users = answer["users"].as_array().unwrap();
        let names: Vec<_> = users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), answer["warnings"].as_array().unwrap().len())
    };
    let one =
        |key: &'static str, value: &'static str| names(&[("criteria[0][key]", key), ("criteria[0][value]", value)]);
    assert_eq!(one("suspended", "1"), ("guest admin svc-reconcile axb".into(), 1));
    assert_eq!(one("email", "%"), ("guest admin svc-reconcile axb".into(), 0));
    assert_eq!(one("email", "A_B@example%"), ("axb".into(), 0));
    assert_eq!(one("auth", "oidc"), ("axb".into(), 0));
    assert_eq!(code(&world, SEARCH, &[]), "invalidparameter");
    let twice = [
        ("criteria[0][key]", "auth"),
        ("criteria[0][value]", "a"),
        ("criteria[1][key]", "auth"),
        ("criteria[1][value]", "b"),
    ];
    assert_eq!(code(&world, SEARCH, &twice), "keyalreadyset");
}

#[test]
fn empty_and_hidden_fields_are_left_out_of_a_returned_user() {
    let world = site();
    world.edit_plan(|plan| plan.profile_fields = ["campus".to_owned()].into());
    let changes = [
        ("phone1", "12345678"),
        ("customfields.0.type", "campus"),
        ("customfields.0.value", "North"),
        ("country", "XX"),
        ("description", "hidden"),
    ];
    create_with(&world, "kari", &changes);
    let shown = || ask(&world, BY_FIELD, &[("field", "username"), ("values[0]", "kari")])[0].clone();
    let row = shown();
    for key in ["idnumber", "institution", "city", "country", "address", "description", "phone1"] {
        assert!(row.get(key).is_none(), "{key}");
    }
    assert_eq!(
        (&row["department"], &row["suspended"], &row["email"]),
        (&json!(""), &json!(false), &json!("kari@example.invalid"))
    );
    assert_eq!(row["customfields"][0]["value"], "North");
    world.edit_plan(|plan| plan.identity_fields = ["phone1".to_owned()].into());
    let row = shown();
    assert_eq!(row["phone1"], "12345678");
    assert!(row.get("email").is_none());
    let id = world.user("kari").unwrap().id;
    world.edit_member(1, id, |member| member.roles = [5].into());
    assert_eq!(shown()["description"], "hidden");
}

#[test]
fn a_cut_between_records_drops_the_tail_and_one_inside_a_record_fails() {
    let world = site();
    let fields: Vec<(String, String)> = (0..10)
        .flat_map(|place| {
            [
                ("username", format!("u{place}")),
                ("firstname", "A".into()),
                ("lastname", "B".into()),
                ("auth", "oidc".into()),
                ("email", format!("u{place}@example.invalid")),
            ]
            .map(|(key, value)| (format!("users[{place}][{key}]"), value))
        })
        .collect();
    let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    // Four fixed fields come first.
    world.edit_plan(|plan| plan.max_input_vars = 4 + 5 * 5 + 2);
    assert_eq!(code(&world, CREATE, &fields), "invalidparameter");
    world.edit_plan(|plan| plan.max_input_vars = 4 + 5 * 5);
    assert_eq!(ask(&world, CREATE, &fields).as_array().unwrap().len(), 5);
}

#[test]
fn calls_that_overlap_do_not_see_each_other() {
    let world = site();
    let token = SitePlan::default().token;
    let form = |name: &str| {
        let fields = [
            ("users[0][username]", name),
            ("users[0][firstname]", "A"),
            ("users[0][lastname]", "B"),
            ("users[0][auth]", "oidc"),
            ("users[0][email]", "one@example.invalid"),
        ];
        token_form(&token, CREATE, &fields)
    };
    let arrivals = [world.arrive(), world.arrive(), world.arrive()];
    assert_eq!(world.call_since(arrivals[0], &form("a"), at(0)).json()[0]["username"], "a");
    assert_eq!(world.call_since(arrivals[1], &form("b"), at(0)).json()[0]["username"], "b");
    assert_eq!(world.call_since(arrivals[2], &form("a"), at(0)).json()["errorcode"], "dmlwriteexception");
    assert_eq!(world.call(&form("c"), at(0)).json()["errorcode"], "invalidparameter");
}

#[test]
fn twenty_thousand_users_are_made_in_batches_and_reported_in_one_page() {
    let world = site();
    let token = SitePlan::default().token;
    for batch in 0..100 {
        let mut fields = Vec::new();
        for place in 0..200 {
            let name = format!("u{:05}", batch * 200 + place);
            let prefix = |key: &str| format!("users[{place}][{key}]");
            fields.push((prefix("email"), format!("{name}@example.invalid")));
            fields.push((prefix("idnumber"), name.clone()));
            fields.push((prefix("username"), name));
            fields.push((prefix("firstname"), "Kari".into()));
            fields.push((prefix("lastname"), "Nordmann".into()));
            fields.push((prefix("auth"), "oidc".into()));
            fields.push((prefix("department"), "Institutt for informatikk".into()));
        }
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let made = world.call(&token_form(&token, CREATE, &fields), at(0)).json();
        assert_eq!(made.as_array().map(Vec::len), Some(200));
    }
    let report = ask(&world, "core_reportbuilder_retrieve_report", &[("reportid", "1"), ("perpage", "300000")]);
    assert_eq!(report["data"]["rows"].as_array().unwrap().len(), 20_002);
}

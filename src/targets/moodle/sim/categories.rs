//! Course categories (Moodle facts, section 5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::answer::name_out;
use super::call::Call;
use super::catalogue::Category;
use super::refusal::Refusal;
use super::strict::{Fields, Text, integer};
use super::world::State;

/// `core_course_create_categories`: one transaction. Names may repeat; the ID number is checked by query only.
pub(super) fn create(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut sent = Vec::new();
    for mut record in fields.need_records("categories")? {
        let name = record.need_text("name", Text::Plain)?;
        let parent = record.int("parent")?.unwrap_or(0);
        let category =
            read(&mut record, Category { name, parent: u64::try_from(parent).unwrap_or(0), ..Category::default() })?;
        record.finish()?;
        sent.push(category);
    }
    fields.finish()?;
    let mut made = Vec::new();
    for category in sent {
        let stamped = Category { modified: call.second(), stamp: call.own, ..category };
        match check(state, &stamped, call) {
            Ok(()) => made.push(state.insert_category(stamped)),
            Err(refusal) => {
                for id in made {
                    state.categories.remove(&id);
                }
                return Err(refusal);
            }
        }
    }
    state.writes.records += made.len() as u64;
    Ok(made.into_iter().map(|id| json!({"id": id, "name": name_out(&state.categories[&id].name, call.raw)})).collect())
}

fn read(record: &mut Fields<'_>, mut category: Category) -> Result<Category, Refusal> {
    if let Some(idnumber) = record.text("idnumber", Text::Raw)? {
        category.idnumber = Some(idnumber).filter(|text| !text.is_empty());
    }
    if let Some(text) = record.text("description", Text::Raw)? {
        category.description = text;
    }
    record.int("descriptionformat")?;
    if let Some(theme) = record.text("theme", Text::AlphaNumExt)? {
        category.theme = Some(theme).filter(|text| !text.is_empty());
    }
    Ok(category)
}

fn check(state: &State, category: &Category, call: &Call) -> Result<(), Refusal> {
    if category.parent != 0 && !state.categories.contains_key(&category.parent) {
        return Err(Refusal::moodle("unknowcategory"));
    }
    if category.name.trim().is_empty() {
        return Err(Refusal::moodle("categorynamerequired"));
    }
    if category.name.chars().count() > 255 {
        return Err(Refusal::moodle("categorytoolong"));
    }
    let Some(idnumber) = &category.idnumber else { return Ok(()) };
    if idnumber.chars().count() > 100 {
        return Err(Refusal::moodle("idnumbertoolong"));
    }
    let taken = state
        .categories
        .values()
        .any(|other| other.id != category.id && other.idnumber.as_ref() == Some(idnumber) && call.sees(other.stamp));
    if taken { Err(Refusal::moodle("categoryidnumbertaken")) } else { Ok(()) }
}

/// `core_course_update_categories`: one transaction.
pub(super) fn update(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut changed: BTreeMap<u64, Category> = BTreeMap::new();
    for mut record in fields.need_records("categories")? {
        let id = record.need_id("id")?;
        let before = changed.get(&id).or_else(|| state.categories.get(&id)).cloned();
        let found = before.is_some();
        let mut category = read(&mut record, before.unwrap_or_default())?;
        if let Some(name) = record.text("name", Text::Plain)? {
            category.name = name;
        }
        if let Some(parent) = record.int("parent")? {
            category.parent = u64::try_from(parent).unwrap_or(0);
        }
        record.finish()?;
        if !found {
            return Err(Refusal::moodle("unknowcategory"));
        }
        changed.insert(id, Category { modified: call.second(), stamp: call.own, ..category });
    }
    fields.finish()?;
    for category in changed.values() {
        check(state, category, call)?;
        if path(state, category.parent).contains(&category.id) || category.parent == category.id {
            return Err(Refusal::moodle("cannotmovecategory"));
        }
    }
    state.writes.records += changed.len() as u64;
    state.categories.extend(changed);
    Ok(Value::Null)
}

/// The ids from the root down to this category.
fn path(state: &State, id: u64) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut next = id;
    while let Some(category) = state.categories.get(&next).filter(|category| !ids.contains(&category.id)) {
        ids.insert(0, category.id);
        next = category.parent;
    }
    ids
}

/// `core_course_get_categories`.
pub(super) fn get(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut criteria = Vec::new();
    for mut record in fields.records("criteria")?.unwrap_or_default() {
        criteria.push((record.need_text("key", Text::Alpha)?, record.need_text("value", Text::Raw)?));
        record.finish()?;
    }
    let whole = fields.flag("addsubcategories")?.unwrap_or(true);
    fields.finish()?;
    let mut hits: BTreeSet<u64> = BTreeSet::new();
    for category in state.categories.values() {
        let mut fits = true;
        for (key, value) in &criteria {
            fits &= match key.as_str() {
                "id" => integer(value).ok_or_else(|| Refusal::moodle("criteriaerror"))? == signed(category.id),
                "ids" => value.split(',').any(|id| integer(id) == Some(signed(category.id))),
                "name" => category.name == *value,
                "parent" => integer(value) == Some(signed(category.parent)),
                "idnumber" => category.idnumber.as_ref() == Some(value),
                "visible" => value == "1",
                "theme" => category.theme.as_ref() == Some(value),
                _ => return Err(Refusal::moodle("criteriaerror")),
            };
        }
        if fits {
            hits.insert(category.id);
        }
    }
    // Depth first, as the sort order runs.
    let mut order: Vec<(Vec<u64>, &Category)> = state
        .categories
        .values()
        .map(|category| (path(state, category.id), category))
        .filter(|(path, category)| hits.contains(&category.id) || whole && path.iter().any(|id| hits.contains(id)))
        .collect();
    order.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(order
        .into_iter()
        .enumerate()
        .map(|(place, (path, category))| row(state, place, &path, category, call))
        .collect())
}

fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn row(state: &State, place: usize, path: &[u64], category: &Category, call: &Call) -> Value {
    let count = state.courses.rows().values().filter(|course| course.category == category.id).count();
    json!({
        "id": category.id,
        "name": name_out(&category.name, call.raw),
        "idnumber": category.idnumber,
        "description": category.description,
        "descriptionformat": 1,
        "parent": category.parent,
        "sortorder": (place + 1) * 10_000,
        "coursecount": count,
        "visible": 1,
        "visibleold": 1,
        "timemodified": category.modified,
        "depth": path.len(),
        "path": path.iter().fold(String::new(), |path, id| path + "/" + &id.to_string()),
        "theme": category.theme,
    })
}

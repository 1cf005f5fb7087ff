//! Templates: attributes as configuration wants them, `{given_name} {surname}`.
//!
//! Names are checked when configuration is loaded; rendering afterwards is pure, trims its result, and
//! fails only where an expression does. Which names there are is the caller's: people's stand in
//! `values.rs`.

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

const NAME: &str = "template";

/// A checked template.
#[derive(Clone)]
pub struct Template {
    source: String,
    environment: Environment<'static>,
}

/// Why a template is refused. Texts quote the template, which is configuration, and never a value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template does not parse.
    #[error("template does not parse: {0}")]
    Syntax(String),
    /// The template uses a name that does not exist.
    #[error("template uses `{name}`, which does not exist{}", near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// The name that is spelt most like it.
        near: Option<&'static str>,
    },
    /// The template cannot be rendered.
    #[error("template cannot be rendered: {0}")]
    Render(String),
}

impl Template {
    /// Parses a template and checks it: every variable must be one of `names`, and it must render with
    /// `blank`, the values of somebody who has none of them.
    ///
    /// # Errors
    /// [`TemplateError`]; for an unknown name the nearest known one is given.
    pub fn parse(source: &str, names: &'static [&'static str], blank: &Value) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().variable_delimiters("{", "}").build();
        environment.set_syntax(syntax.map_err(|error| TemplateError::Syntax(error.to_string()))?);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| TemplateError::Syntax(error.to_string()))?;
        let template = Self { source: source.to_owned(), environment };
        template.check(names)?;
        template.render(blank)?;
        Ok(template)
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text for these values, without space at either end.
    ///
    /// # Errors
    /// [`TemplateError::Render`] where an expression fails on a value; the text names what failed, not the
    /// value.
    pub fn render(&self, values: &Value) -> Result<String, TemplateError> {
        let render = |template: minijinja::Template<'_, '_>| template.render(values.clone());
        match self.environment.get_template(NAME).and_then(render) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) => Err(TemplateError::Render(error.kind().to_string())),
        }
    }

    fn check(&self, names: &'static [&'static str]) -> Result<(), TemplateError> {
        let template = self.environment.get_template(NAME).map_err(|e| TemplateError::Syntax(e.to_string()))?;
        let mut used: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        used.sort();
        match used.into_iter().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(TemplateError::Unknown { near: nearest(&name, names), name }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.source).finish()
    }
}

/// The known name nearest to `name`, unless all are far.
fn nearest(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let scored = names.iter().map(|&known| (strsim::jaro_winkler(name, known), known));
    scored.max_by(|one, two| one.0.total_cmp(&two.0)).filter(|(score, _)| *score > 0.75).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NAMES: &[&str] = &["code", "version", "dept.nb"];

    fn values(code: &str, version: &str) -> Value {
        let dept = BTreeMap::from([("nb", "Institutt")]);
        Value::from(BTreeMap::from([
            ("code", Value::from(code)),
            ("version", Value::from(version)),
            ("dept", Value::from(dept)),
        ]))
    }

    fn parse(source: &str) -> Result<Template, TemplateError> {
        Template::parse(source, NAMES, &values("", ""))
    }

    fn render(source: &str) -> String {
        parse(source).unwrap().render(&values("INF1000", "1")).unwrap()
    }

    #[test]
    fn single_braces_are_the_house_style() {
        assert_eq!(render("{code}-{version}"), "INF1000-1");
        assert_eq!(render("  {dept.nb}  "), "Institutt", "trimmed");
        assert_eq!(render("fast"), "fast");
        assert_eq!(render(""), "");
    }

    #[test]
    fn expressions_filters_and_conditions_work() {
        assert_eq!(render("{code|lower}"), "inf1000");
        assert_eq!(render("{'' or code}"), "INF1000");
        assert_eq!(render("{% if version == '1' %}first{% else %}later{% endif %}"), "first");
        assert_eq!(render("{# nothing #}{code}"), "INF1000");
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused_with_the_nearest() {
        let error = parse("{versjon}").unwrap_err();
        assert_eq!(error, TemplateError::Unknown { name: "versjon".into(), near: Some("version") });
        assert!(error.to_string().contains("did you mean `version`?"));
        assert_eq!(parse("{dept.nn}").unwrap_err().to_string().matches("dept.nb").count(), 1);
        assert!(matches!(parse("{xyzzy}").unwrap_err(), TemplateError::Unknown { near: None, .. }));
        assert!(parse("{% if false %}{kode}{% endif %}").is_err(), "also where it is never reached");
    }

    #[test]
    fn what_does_not_parse_or_render_is_refused_at_load() {
        assert!(matches!(parse("{code"), Err(TemplateError::Syntax(_))));
        assert!(matches!(parse("{code|uper}"), Err(TemplateError::Syntax(_) | TemplateError::Render(_))));
        assert!(parse("{code[0]}").is_err(), "fails for somebody without a code");
    }

    #[test]
    fn values_are_never_templates() {
        let template = parse("{code}").unwrap();
        assert_eq!(template.render(&values("{version}<b>&", "")).unwrap(), "{version}<b>&");
    }

    proptest! {
        #[test]
        fn no_source_panics(source in "[{}%# a-z.|'()\\[\\]]{0,40}") {
            if let Ok(template) = parse(&source) {
                let text = template.render(&values("INF1000", "1"));
                prop_assert!(text.is_err() || text.is_ok_and(|text| text.trim().len() == text.len()));
            }
        }

        #[test]
        fn any_value_comes_out_trimmed_and_otherwise_as_it_is(value in any::<String>()) {
            let template = parse("{code}").unwrap();
            prop_assert_eq!(template.render(&values(&value, "")).unwrap(), value.trim());
        }
    }
}

//! Templates are rendered strictly: a value that is missing is an error, and an error knows its place.

use minijinja::{Environment, Error, UndefinedBehavior, Value};

/// Renders a template. The last newline of its text is kept.
pub(crate) fn render(template: &str, values: Value) -> Result<String, Error> {
    environment().render_str(template, values).map(|text| text + "\n")
}

/// The variables that a template looks up, at any rate in some branch of it.
pub(crate) fn variables(template: &str) -> Result<Vec<String>, Error> {
    let environment = environment();
    let template = environment.template_from_str(template)?;
    Ok(template.undeclared_variables(false).into_iter().collect())
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Otherwise an error knows its line only.
    environment.set_debug(true);
    environment
}

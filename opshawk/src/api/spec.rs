//! The OpenAPI 3.1 description, as the router's annotations make it.
//!
//! What is the same for every operation is stamped here, so that an annotation says only what is
//! its own: the roles of [`access`], the `Idempotency-Key`, and problem details as every error.

use utoipa::{
    OpenApi, ToSchema,
    openapi::{
        self, Content, ContentBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder,
        extensions::ExtensionsBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        schema::Type,
        security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        },
    },
};

use super::{access, problem::Problem};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "OpsHawk",
        version = "1",
        description = "Runs a private cloud's day: machines, measurement, alerts, money.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem, inventory::images::Part, base::id::StreamId))
)]
pub struct Base;

/// The description with everything stamped in.
pub fn describe(mut api: openapi::OpenApi) -> openapi::OpenApi {
    // Where it is served is where it was read from.
    api.servers = Some(vec![openapi::Server::new("/")]);
    if let Some(components) = &mut api.components {
        components
            .add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(super::session::COOKIE))),
        );
    }
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            stamp(operation, access::find(&method, path));
        }
    }
    api
}

/// As it is checked in: indented, with a newline at the end.
pub fn to_text(api: &openapi::OpenApi) -> String {
    let text = api.to_pretty_json().expect("the description is plain data");
    format!("{text}\n")
}

fn stamp(operation: &mut Operation, rule: Option<&'static access::Rule>) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let status = status.parse::<http::StatusCode>().ok();
            let reason = status.and_then(|s| s.canonical_reason());
            response.description = reason.unwrap_or("The answer").to_owned();
        }
    }
    operation.responses.responses.insert("default".to_owned(), problem_response());
    let Some(rule) = rule else { return };
    let roles = ExtensionsBuilder::new().add("x-opshawk-roles", rule.who.roles()).build();
    operation.extensions.get_or_insert_default().merge(roles);
    if rule.who != access::Who::Nobody {
        let none: [&str; 0] = [];
        operation.security = Some(vec![
            SecurityRequirement::new("token", none),
            SecurityRequirement::new("session", none),
        ]);
    }
    if rule.keyed {
        operation.parameters.get_or_insert_default().push(
            ParameterBuilder::new()
                .name("Idempotency-Key")
                .parameter_in(ParameterIn::Header)
                .description(Some(
                    "The caller's own: the same request with the same key happens once.",
                ))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
                .build()
                .into(),
        );
    }
}

fn problem_response() -> RefOr<openapi::Response> {
    let schema = Ref::from_schema_name(Problem::name());
    let content: Content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description("What was wrong (RFC 9457)")
        .content("application/problem+json", content)
        .build()
        .into()
}

/// The operations of a path, with their methods.
pub fn operations(item: &mut PathItem) -> Vec<(http::Method, &mut Operation)> {
    use http::Method;
    let all = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ];
    all.into_iter().filter_map(|(m, o)| o.as_mut().map(|o| (m, o))).collect()
}

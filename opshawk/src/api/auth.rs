//! Who is calling: a bearer token or the session's cookie becomes an [`Actor`], and the table of
//! [`access`] says whether it may.
//!
//! A cookie is sent by a browser whoever wrote the page, so that a request that changes something
//! by cookie must come from our own origin; so must one for a WebSocket, which no browser keeps
//! from another's pages.

use std::ops::Deref;

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use base::{Error, ErrorKind};
use http::{HeaderMap, header, request::Parts};
use identity::{Access, Actor};

use super::{
    access::{self, Who},
    extract::{is_change, is_upgrade},
    problem::Problem,
    session,
    state::App,
};

/// Whoever the middleware let through.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl Deref for Caller {
    type Target = Actor;
    fn deref(&self) -> &Actor {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| unauthenticated().into())
    }
}

/// The host of an agent that calls.
#[derive(Debug, Clone, Copy)]
pub struct CallingHost(pub base::id::HostId);

impl<S: Send + Sync> FromRequestParts<S> for CallingHost {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        match caller.access {
            Access::Agent(host) => Ok(Self(host)),
            _ => Err(Error::forbidden("only a host's agent may do this").into()),
        }
    }
}

impl Who {
    fn allows(self, access: Access) -> bool {
        match access {
            Access::Operator => {
                matches!(
                    self,
                    Self::Nobody
                        | Self::Known
                        | Self::Users
                        | Self::Operators
                        | Self::OperatorsAndAgents
                )
            }
            Access::Member(_) => matches!(self, Self::Nobody | Self::Known | Self::Users),
            Access::Agent(_) => {
                matches!(self, Self::Nobody | Self::Known | Self::Agents | Self::OperatorsAndAgents)
            }
        }
    }
}

fn unauthenticated() -> Error {
    Error::new(ErrorKind::Unauthenticated, "this needs an API token or a session")
        .remedy("send Authorization: Bearer with a token, or log in")
}

/// Refuses whoever may not; runs for every route of [`access::RULES`].
pub async fn authorise(
    State(app): State<App>,
    path: MatchedPath,
    jar: CookieJar,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match allowed(&app, path.as_str(), &parts, &jar).await {
        Ok(actor) => {
            if let Some(actor) = actor {
                let who = format!("{}:{}", actor.kind.as_str(), actor.id);
                tracing::Span::current().record("actor", who);
                parts.extensions.insert(Caller(actor));
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The caller, where the endpoint wants one.
async fn allowed(
    app: &App,
    path: &str,
    parts: &Parts,
    jar: &CookieJar,
) -> Result<Option<Actor>, Problem> {
    // The router answers 405 for a method that no rule has.
    let Some(rule) = access::find(&parts.method, path) else { return Ok(None) };
    check_origin(app, parts, jar)?;
    if rule.who == Who::Nobody {
        return Ok(None);
    }
    let actor = authenticate(app, &parts.headers, jar).await?;
    if !rule.who.allows(actor.access) {
        let message = format!("this is for the role {}", rule.who.roles().join(" or "));
        return Err(Error::forbidden(message).into());
    }
    Ok(Some(actor))
}

pub(super) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    jar: &CookieJar,
) -> Result<Actor, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let Some(token) = token else { return Err(unauthenticated().into()) };
        return Ok(app.identity.authenticate_token(token).await?);
    }
    match jar.get(session::COOKIE) {
        Some(cookie) => Ok(app.identity.authenticate_session(cookie.value()).await?),
        None => Err(unauthenticated().into()),
    }
}

/// A change or a console by cookie, or a login from a browser, must come from our own pages.
fn check_origin(app: &App, parts: &Parts, jar: &CookieJar) -> Result<(), Problem> {
    let headers = &parts.headers;
    let guarded = is_change(&parts.method) || is_upgrade(headers);
    if !guarded || headers.contains_key(header::AUTHORIZATION) {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|v: &http::HeaderValue| v.to_str().ok());
    let refused = || {
        Problem::from(
            Error::forbidden("the request does not come from this console's own pages")
                .remedy("programs send an API token instead of a cookie"),
        )
    };
    match text(header::ORIGIN) {
        // Programs send none; a browser that has a session always does.
        None if jar.get(session::COOKIE).is_none() => Ok(()),
        None => Err(refused()),
        Some(origin) => {
            let own = text(header::HOST).is_some_and(|host| {
                origin.strip_prefix("http://").or(origin.strip_prefix("https://")) == Some(host)
            });
            if own || origin == app.config.public_url() { Ok(()) } else { Err(refused()) }
        }
    }
}

//! Running a procedure: arguments → one binding → requests, step by step → rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value as Json;
use url::Url;

use super::cell::{Builder, Cell};
use super::described::{self, Described};
use super::dry::{requests_schema, show};
use super::read::Scope;
use super::request::operation_request;
use super::value::Value;
use super::{answer, arrow_field, files, find, said};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Asking, Content, Grant, Request, Response, Safety, Secret, Terms, Upload, complaint, is_outcome_unknown};
use crate::schema::{Action, Catalog, Expect, Grants, Procedure, Step};

/// Names of the result columns of a file that was kept, and of a schema file.
const FILE: &str = "file";
const SIZE: &str = "size";
const MIME_TYPE: &str = "mime_type";
const CONTENT: &str = "content";

/// Columns of the result: all of them may be NULL, since the site may leave anything out.
pub(crate) fn result_schema(procedure: &Procedure, dry_run: bool) -> SchemaRef {
    if dry_run && procedure.changes {
        return requests_schema();
    }
    let fields: Vec<_> = procedure
        .result
        .columns
        .iter()
        .map(|column| arrow_field(column).with_nullable(true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Checks the arguments, given by parameter.
///
/// # Errors
/// One is missing, or is not what the procedure takes. Nothing has been sent.
pub(crate) fn check(procedure: &Procedure, arguments: &[Option<Value>]) -> Result<()> {
    let wrong = |what: String| {
        Err(
            Error::new(ErrorKind::Statement, format!("{}: {what}", procedure.name)).hint(format!(
                "SELECT * FROM sys.procedure_parameters WHERE procedure_name = '{}' describes the parameters",
                procedure.name
            )),
        )
    };
    for (parameter, argument) in procedure.parameters.iter().zip(arguments) {
        match argument {
            None | Some(Value::Null) if parameter.required => {
                return wrong(format!("the parameter {} is required", parameter.name));
            }
            None => {}
            Some(value) => {
                if let Err(what) = value.check(parameter) {
                    return wrong(format!("{}: {what}", parameter.name));
                }
            }
        }
    }
    Ok(())
}

/// Runs a procedure with checked arguments.
///
/// # Errors
/// A step failed; where it may have taken effect all the same, the message says so.
pub(crate) async fn invoke(
    scope: Scope,
    catalog: &Catalog,
    procedure: &Procedure,
    arguments: Vec<Option<Value>>,
) -> Result<RecordBatch> {
    let run = Run {
        dry: scope.site.writing.dry_run && procedure.changes,
        scope,
        procedure,
        name: Arc::from(procedure.name.as_str()),
    };
    let result = match &procedure.action {
        Action::Steps(steps) => run.steps(steps, arguments).await,
        Action::Schema { table, file } => run.schema(catalog, &arguments, *table, *file),
        Action::OAuth(asked) => run.grant(*asked, &arguments).await,
    };
    result.map_err(|error| error.table(&procedure.name))
}

struct Run<'a> {
    scope: Scope,
    procedure: &'a Procedure,
    name: Arc<str>,
    dry: bool,
}

/// What a step needs besides its request.
struct Prepared {
    terms: Terms,
    incoming: Option<files::Incoming>,
}

impl Run<'_> {
    async fn steps(&self, steps: &[Step], mut given: Vec<Option<Value>>) -> Result<RecordBatch> {
        let due: Vec<&Step> = steps.iter().filter(|step| is_due(step, &given)).collect();
        // Files are looked at before the first request, so that a wrong path leaves nothing half done.
        let mut prepared = Vec::new();
        for step in &due {
            prepared.push(self.prepare(step, &given)?);
        }
        let mut shown = Vec::new();
        let mut result = None;
        for (done, (step, mut prepared)) in due.into_iter().zip(prepared).enumerate() {
            let request = self.request(step, &mut given).await?;
            let described = match &step.expect {
                Some(expect) => self.described(expect, &given).await?,
                None => Described::default(),
            };
            if self.dry {
                shown.push((0, 1, request.clone(), self.body_in_words(&request, &prepared.terms)));
                for (parameter, _) in &step.into {
                    given[*parameter] = Some(Value::List(vec!["…".to_owned()]));
                }
                continue;
            }
            if self.procedure.changes {
                self.scope.site.touch(self.procedure.parameters.iter().zip(&given));
                self.scope
                    .wait_for_turn(&step.operation, &self.procedure.parameters, &given)
                    .await;
            }
            let sent = self
                .scope
                .site
                .client
                .send_on(&request, &prepared.terms, &self.scope.statement)
                .await;
            let response = sent.map_err(|error| self.explain(step, done, error))?;
            self.scope.stats.add(&response);
            if self.procedure.changes && step.is_answered_nothing() {
                match said::aside(response.status, &response.body) {
                    Ok(false) => {}
                    Ok(true) => {
                        self.warn("was done with an answer, where the site gives none; look whether it is as it should be")
                    }
                    Err(_) => return Err(self.scope.doubt(response.status, &response.body, None)),
                }
            }
            for (parameter, path) in &step.into {
                given[*parameter] = Some(Value::List(taken(&response.body, path)?));
            }
            if step.save.is_some() {
                described::check(&described, &response)?;
            }
            result = Some(self.result(step, &given, response, prepared.incoming.take(), described.name)?);
        }
        if self.dry {
            return show(&shown);
        }
        result.ok_or_else(|| Error::new(ErrorKind::Internal, "a procedure has nothing to do for these arguments"))
    }

    /// What the site says about a file elsewhere. A site that does not say it may still have the file.
    async fn described(&self, expect: &Expect, given: &[Option<Value>]) -> Result<Described> {
        match find::described(&self.scope, expect, given).await {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Permission | ErrorKind::Decode) => {
                let text = format!(
                    "{}: what {} says of {{}} files is not known: {}",
                    self.name,
                    expect.table.name,
                    error.message()
                );
                self.scope.statement.warn(text, 1);
                Ok(Described::default())
            }
            described => described,
        }
    }

    fn prepare(&self, step: &Step, given: &[Option<Value>]) -> Result<Prepared> {
        let text = |parameter: usize| given[parameter].as_ref().and_then(Value::text);
        // What this step brings would take the place of what was given.
        if let Some((parameter, _)) = step.into.iter().find(|(parameter, _)| given[*parameter].is_some()) {
            let names: Vec<&str> = step.when.iter().map(|&when| &*self.procedure.parameters[when].name).collect();
            let message = format!(
                "{} is given, and {} as well",
                self.procedure.parameters[*parameter].name,
                names.join(" or ")
            );
            return Err(Error::new(ErrorKind::Statement, message).hint("give one of them"));
        }
        let writing = &self.scope.site.writing;
        let mut terms = Terms {
            accepts: step.accepts.clone(),
            text: step.text.is_some(),
            ..Terms::default()
        };
        if let Some(upload) = step.upload {
            let name = text(upload.name).map(std::borrow::Cow::into_owned);
            terms.upload = Some(match (text(upload.file), text(upload.content)) {
                (Some(file), None) => {
                    let (path, own, size) = files::to_send(writing, &file)?;
                    Upload {
                        name: files::safe_name(&name.unwrap_or(own)),
                        size,
                        content: Content::File(path),
                    }
                }
                (None, Some(content)) => {
                    let wrong = |what: &str, hint: &str| Error::new(ErrorKind::Statement, what).hint(hint);
                    let bytes = STANDARD
                        .decode(content.as_bytes())
                        .map_err(|_| wrong("content is not base64", "encode(…, 'base64') makes base64 of binary data"))?;
                    let name = name.ok_or_else(|| wrong("content has no name", "give file_name too"))?;
                    files::check_size(writing, bytes.len() as u64, &name)?;
                    Upload {
                        name: files::safe_name(&name),
                        size: bytes.len() as u64,
                        content: Content::Bytes(Bytes::from(bytes)),
                    }
                }
                (file, _) => {
                    let what = if file.is_some() {
                        "both file and content are given"
                    } else {
                        "there is no file to send"
                    };
                    return Err(Error::new(ErrorKind::Statement, what).hint("give either file, or content and file_name"));
                }
            });
        }
        let incoming = match step.save {
            Some(parameter) => {
                let incoming = files::Incoming::new(writing)?;
                if let Some(name) = text(parameter) {
                    incoming.check(&name)?;
                }
                terms.save = Some(incoming.part().to_owned());
                Some(incoming)
            }
            None => None,
        };
        Ok(Prepared { terms, incoming })
    }

    async fn request(&self, step: &Step, given: &mut [Option<Value>]) -> Result<Request> {
        let parameters = &self.procedure.parameters;
        find::fill(&self.scope, &step.operation, None, given).await?;
        let missing =
            (0..parameters.len()).find(|&index| step.operation.needs(index) && matches!(&given[index], None | Some(Value::Null)));
        if let Some(index) = missing {
            let error = Error::new(
                ErrorKind::Statement,
                format!("the parameter {} is missing", parameters[index].name),
            );
            return Err(match &step.operation.hint {
                Some(hint) => error.hint(hint),
                None => error.hint("give it as name => value"),
            });
        }
        let mut request = operation_request(
            &self.name,
            &self.procedure.api,
            &step.operation,
            parameters,
            given,
            &[],
            false,
        )?;
        // What changes nothing may be asked again.
        if !self.procedure.changes {
            request.safety = Safety::Read;
        }
        Ok(request)
    }

    /// The error of a step, with what the schema knows and what was done before it.
    fn explain(&self, step: &Step, done: usize, error: Error) -> Error {
        let error = match &step.operation.hint {
            Some(hint) if error.kind() == ErrorKind::Invalid => error.hint(hint),
            _ => error,
        };
        if done == 0 || is_outcome_unknown(&error) {
            return error;
        }
        let message = format!("{}; the step before it was done", error.message());
        let mut whole = Error::new(error.kind(), message);
        if let Some(hint) = error.hint_text() {
            whole = whole.hint(hint);
        }
        match error.request_context() {
            Some(request) => whole.request(request.clone()),
            None => whole,
        }
    }

    fn body_in_words(&self, request: &Request, terms: &Terms) -> Option<String> {
        match (&request.body, &terms.upload) {
            (Some(body), _) => Some(String::from_utf8_lossy(body).into_owned()),
            (None, Some(upload)) => Some(format!("multipart file {:?}, {} bytes", upload.name, upload.size)),
            (None, None) => None,
        }
    }

    /// The answer of the last step as rows.
    fn result(
        &self,
        step: &Step,
        given: &[Option<Value>],
        response: Response,
        incoming: Option<files::Incoming>,
        own: Option<String>,
    ) -> Result<RecordBatch> {
        if let (Some(incoming), Some(parameter)) = (incoming, step.save) {
            let asked = given[parameter].as_ref().and_then(Value::text);
            let id = step
                .operation
                .endpoint
                .placeholders()
                .last()
                .and_then(|column| given[column].as_ref()?.text());
            let suggested = response
                .disposition
                .or(own)
                .unwrap_or_else(|| id.unwrap_or_default().into_owned());
            let path = incoming.keep(asked.as_deref(), &suggested)?;
            return self.row(|name| match name {
                FILE => Some(Value::Text(path.display().to_string())),
                SIZE => i64::try_from(response.saved).ok().map(Value::Bigint),
                MIME_TYPE => response.media_type.clone().map(Value::Text),
                _ => None,
            });
        }
        if let Some(column) = step.text {
            let name = &self.procedure.result.columns[column].name;
            let text = String::from_utf8_lossy(&response.body).into_owned();
            return self.row(|other| (other == name).then(|| Value::Text(text.clone())));
        }
        let echo = |column: usize| {
            let parameter = self.procedure.echoes.iter().find(|(echoed, _)| *echoed == column)?.1;
            given[parameter].clone()
        };
        let Some(rows) = &step.operation.answer else {
            return self.row(|name| echo(self.procedure.result.column(name)?));
        };
        let result = &self.procedure.result;
        let columns: Vec<usize> = (0..result.columns.len()).collect();
        let text = |column: usize| echo(column)?.text().map(std::borrow::Cow::into_owned);
        let list = !rows.is_empty();
        let read = answer::read(result, &columns, &response.body, list, self.procedure.at_least_one, text);
        let batch = match read {
            Ok(batch) if self.procedure.changes => {
                self.examine(given, &response, batch.as_ref())?;
                batch
            }
            Ok(batch) => batch,
            Err(error) if self.procedure.changes => return Err(self.scope.doubt(response.status, &response.body, Some(&error))),
            Err(error) => return Err(error),
        };
        let schema = result_schema(self.procedure, false);
        match batch {
            Some(batch) => batch.with_schema(schema).map_err(unfit),
            None => Ok(RecordBatch::new_empty(schema)),
        }
    }

    /// Holds an answer against what was sent.
    fn examine(&self, given: &[Option<Value>], response: &Response, rows: Option<&RecordBatch>) -> Result<()> {
        let columns = &self.procedure.result.columns;
        let Some(rows) = rows.filter(|rows| rows.num_rows() > 0) else {
            if complaint(&response.body).is_some() {
                return Err(self.scope.doubt(response.status, &response.body, None));
            }
            self.warn("was done, and the answer shows nothing of it; look at the site for what has come of it");
            return Ok(());
        };
        if !said::shows_anything(columns, rows) {
            return Err(self.scope.doubt(response.status, &response.body, None));
        }
        if let Some(words) = complaint(&response.body) {
            let words = self.scope.site.client.redacted(&words);
            self.warn(&format!("was done, and the site complains: {words}"));
        }
        for row in 0..rows.num_rows() {
            let sent = |&(column, parameter): &(usize, usize)| Some((column, given[parameter].as_ref()?));
            let sent = self.procedure.repeats.iter().filter_map(sent);
            let differences = said::differences(columns, &rows.slice(row, 1), sent);
            if differences.iter().any(|difference| difference.names) {
                let what = format!("{}: whether it was done is not known", said::told(&differences));
                return Err(Error::new(ErrorKind::Decode, what).hint("look at the site before doing it again"));
            }
            if !differences.is_empty() {
                self.warn(&said::told(&differences));
            }
        }
        Ok(())
    }

    fn warn(&self, what: &str) {
        self.scope.statement.warn(format!("{}: {what}", self.procedure.name), 1);
    }

    fn row(&self, value: impl Fn(&str) -> Option<Value>) -> Result<RecordBatch> {
        let mut cell = Cell::default();
        let columns: Vec<ArrayRef> = self
            .procedure
            .result
            .columns
            .iter()
            .map(|column| {
                let mut builder = Builder::new(column.kind);
                value(&column.name).unwrap_or(Value::Null).fill(&mut cell);
                builder.append(&cell);
                builder.finish()
            })
            .collect();
        RecordBatch::try_new(result_schema(self.procedure, false), columns).map_err(unfit)
    }

    /// Asks the authorization server.
    async fn grant(&self, asked: Grants, given: &[Option<Value>]) -> Result<RecordBatch> {
        let granting = self.scope.site.granting.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Option, "the connection does not use OAuth")
                .hint("connect with AuthScheme=OAuth and OAuthClientId")
        })?;
        let text = |parameter: usize| {
            let text = given[parameter].as_ref().and_then(Value::text)?;
            Some(text.into_owned()).filter(|text| !text.is_empty())
        };
        let secret = |parameter: usize| text(parameter).map(Secret::from);
        let callback = |parameter: usize| {
            let url = text(parameter).map(|text| Url::parse(&text)).transpose();
            url.map_err(|_| {
                Error::new(ErrorKind::Statement, "callback_url is no URL").hint("give the redirect URL of the OAuth app")
            })
        };
        match asked {
            Grants::Consent {
                callback: at,
                scope,
                state,
            } => {
                let asking = Asking {
                    callback: callback(at)?,
                    scope: text(scope),
                    state: text(state),
                };
                let consent = granting.consent(asking).await?;
                let (token, key) = consent.request.unzip();
                self.row(|name| match name {
                    "url" => Some(Value::Text(consent.url.to_string())),
                    "auth_token" => open(token.as_ref()),
                    "auth_key" => open(key.as_ref()),
                    _ => None,
                })
            }
            Grants::Refresh { token } => {
                let grant = granting.refresh(secret(token).unwrap_or_default()).await?;
                self.granted(&grant)
            }
            Grants::Exchange {
                mode,
                code,
                callback: at,
                scope,
                token,
                key,
            } => {
                let wrong = |what: &str, hint: &str| Err(Error::new(ErrorKind::Statement, what).hint(hint));
                let request = match (secret(token), secret(key)) {
                    (Some(token), Some(key)) => Some((token, key)),
                    (None, None) => None,
                    _ => return wrong("auth_token and auth_key belong together", "give both, or neither"),
                };
                let grant = match (text(mode).as_deref(), secret(code)) {
                    (Some("APP"), Some(_)) => {
                        return wrong(
                            "auth_mode is APP, which takes no verifier",
                            "leave verifier out, or use auth_mode WEB",
                        );
                    }
                    (Some("WEB"), None) => {
                        return wrong(
                            "verifier is missing",
                            "open the address of get_oauth_authorization_url in a browser, and give the code that it leads to",
                        );
                    }
                    (_, Some(code)) => granting.exchange(code, callback(at)?, request).await?,
                    (_, None) if request.is_some() => {
                        return wrong(
                            "auth_token is given without verifier",
                            "give the verifier that the browser came back with",
                        );
                    }
                    (_, None) => {
                        let asking = Asking {
                            callback: callback(at)?,
                            scope: text(scope),
                            state: None,
                        };
                        granting.browse(asking).await?
                    }
                };
                self.granted(&grant)
            }
        }
    }

    fn granted(&self, grant: &Grant) -> Result<RecordBatch> {
        self.row(|name| match name {
            "oauth_access_token" => open(Some(&grant.access_token)),
            "oauth_access_token_secret" => open(grant.token_secret.as_ref()),
            "oauth_refresh_token" => open(grant.refresh_token.as_ref()),
            "cloud_id" => grant.cloud_id.clone().map(Value::Text),
            "expires_in" => grant
                .expires_in
                .and_then(|seconds| i64::try_from(seconds).ok())
                .map(Value::Bigint),
            _ => None,
        })
    }

    fn schema(&self, catalog: &Catalog, given: &[Option<Value>], table: usize, file: usize) -> Result<RecordBatch> {
        let text = |parameter: usize| given[parameter].as_ref().and_then(Value::text);
        let table = text(table).unwrap_or_default();
        let source = catalog.source(&table).ok_or_else(|| {
            Error::new(ErrorKind::Statement, format!("there is no table {table:?}"))
                .hint("SELECT table_name FROM sys.tables lists the tables")
        })?;
        let name = text(file).unwrap_or_default();
        let stem = name.strip_suffix(".toml").unwrap_or_default();
        if stem != table && catalog.table(stem).is_some() {
            let message = format!("{name} would take the place of the table {stem}, with the columns of {table}");
            return Err(Error::new(ErrorKind::Statement, message).hint("choose a name that no table has"));
        }
        let path = text(file)
            .map(|name| files::write_schema(&self.scope.site.writing, &source.folder, &name, &source.text))
            .transpose()?;
        self.row(|name| match name {
            FILE => path.as_ref().map(|path| Value::Text(path.display().to_string())),
            CONTENT => Some(Value::Text(source.text.clone())),
            _ => None,
        })
    }
}

/// A token for the caller, who asked for it.
fn open(secret: Option<&Secret>) -> Option<Value> {
    secret.map(|secret| Value::Text(secret.expose().to_owned()))
}

fn unfit(error: arrow::error::ArrowError) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("the columns of the result do not fit together: {error}"),
    )
}

fn is_due(step: &Step, given: &[Option<Value>]) -> bool {
    let is_given = |&parameter: &usize| !matches!(&given[parameter], None | Some(Value::Null | Value::Boolean(false)));
    (step.when.is_empty() || step.when.iter().any(is_given)) && !step.unless.iter().any(is_given)
}

/// The texts at a path of an answer, through lists.
fn taken(body: &Bytes, path: &[String]) -> Result<Vec<String>> {
    let unusable = || {
        Error::new(ErrorKind::Decode, format!("the answer has no {}", path.join(".")))
            .hint("the site or a proxy in front of it answered something unexpected; sys.requests shows the request")
    };
    let body: Json = serde_json::from_slice(body).map_err(|_| unusable())?;
    let mut found = vec![&body];
    for key in path {
        found = found
            .into_iter()
            .flat_map(|value| match value {
                Json::Array(items) => items.iter().collect(),
                other => vec![other],
            })
            .filter_map(|value| value.get(key))
            .collect();
    }
    let texts: Vec<String> = found
        .into_iter()
        .filter_map(|value| match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect();
    if texts.is_empty() { Err(unusable()) } else { Ok(texts) }
}

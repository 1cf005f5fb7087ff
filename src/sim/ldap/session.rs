//! One connection: requests in, answers out, one after the other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{SinkExt, StreamExt};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapBindResponse, LdapExtendedRequest, LdapExtendedResponse, LdapModify,
    LdapModifyType, LdapMsg, LdapOp, LdapResult, LdapSearchRequest,
};
use ldap3_proto::{
    LdapCodec, LdapPartialAttribute, LdapResultCode as Code, LdapSearchResultEntry, LdapSearchResultReference,
    LdapSearchScope,
};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use super::controls::{self, Controls};
use super::dn::fold_dn;
use super::filter::judge;
use super::modify::{self, Refused};
use super::search::{self, Bounds, Position};
use super::served::Served;
use super::tree::{Stored, Tree};
use crate::sim::faults::{Fault, Operation, Refusal};
use crate::sim::watch::{Moment, Verdict, Written};

/// Requests are larger than the codec's default: a filter may name hundreds of keys.
const MESSAGE_LIMIT: usize = 1 << 22;
/// Answers are handed to the network in lots of this many.
const LOT: usize = 200;

/// Serves a connection until it ends or a fault ends it.
pub async fn serve(stream: TcpStream, served: Arc<Served>) -> io::Result<()> {
    let wire = Framed::new(stream, LdapCodec::new(Some(MESSAGE_LIMIT), None));
    let mut session = Session { wire, served, bound: false, paging: None, ended_with: None };
    while let Some(message) = session.wire.next().await {
        if session.answer(message?).await? == After::Close {
            break;
        }
    }
    Ok(())
}

/// The name of the entry that a write is about.
fn name(op: &LdapOp) -> Option<&str> {
    match op {
        LdapOp::ModifyRequest(request) => Some(&request.dn),
        LdapOp::AddRequest(request) => Some(&request.dn),
        LdapOp::DelRequest(dn) => Some(dn),
        _ => None,
    }
}

/// What a modification does to which attribute, value by value; of any other write nothing.
fn fields(op: &LdapOp) -> Vec<(String, String)> {
    let LdapOp::ModifyRequest(request) = op else { return Vec::new() };
    let of = |change: &LdapModify| {
        let done = match change.operation {
            LdapModifyType::Add => "add",
            LdapModifyType::Delete => "delete",
            LdapModifyType::Replace => "replace",
            LdapModifyType::Increment => "increment",
        };
        let what = format!("{done} {}", change.modification.atype);
        let text = |value: &Vec<u8>| (what.clone(), String::from_utf8_lossy(value).into_owned());
        change.modification.vals.iter().map(text).collect::<Vec<_>>()
    };
    request.changes.iter().flat_map(of).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    Close,
}

struct Session {
    wire: Framed<TcpStream, LdapCodec>,
    served: Arc<Served>,
    bound: bool,
    /// The one paged search a connection may have open, as slapd has it: an older cookie is refused.
    paging: Option<Position>,
    /// What the last page ended with.
    ended_with: Option<LdapSearchResultEntry>,
}

impl Session {
    async fn answer(&mut self, message: LdapMsg) -> io::Result<After> {
        let LdapMsg { msgid, op, ctrl } = message;
        let (operation, wrap): (Operation, fn(LdapResult) -> LdapOp) = match &op {
            LdapOp::AbandonRequest(_) => return Ok(After::GoOn),
            LdapOp::BindRequest(_) => (Operation::Bind, bind_response),
            LdapOp::SearchRequest(_) => (Operation::Read, LdapOp::SearchResultDone),
            LdapOp::CompareRequest(_) => (Operation::Read, LdapOp::CompareResult),
            LdapOp::ExtendedRequest(_) => (Operation::Read, extended_response),
            LdapOp::ModifyRequest(_) => (Operation::Write, LdapOp::ModifyResponse),
            LdapOp::AddRequest(_) => (Operation::Write, LdapOp::AddResponse),
            LdapOp::DelRequest(_) => (Operation::Write, LdapOp::DelResponse),
            LdapOp::ModifyDNRequest(_) => (Operation::Write, LdapOp::ModifyDNResponse),
            // Unbind, and whatever a client has no business to send.
            _ => return Ok(After::Close),
        };
        if let Some(refusal) = self.served.faults.refusal(operation) {
            let said = self.served.faults.explanation();
            return self.send(msgid, wrap(result(refusal_code(refusal), &said)), Vec::new()).await;
        }
        let controls = match Controls::read(ctrl) {
            Ok(controls) => controls,
            Err(refused) => return self.send(msgid, wrap(refused.into()), Vec::new()).await,
        };
        let (reply, ctrl) = match op {
            LdapOp::SearchRequest(request) => return self.search(msgid, request, controls).await,
            LdapOp::BindRequest(request) => (bind_response(self.bind(&request)), Vec::new()),
            LdapOp::ExtendedRequest(request) => (self.extended(&request), Vec::new()),
            LdapOp::CompareRequest(request) => {
                let verdict = if self.bound {
                    search::compare(&self.served.tree(), &request.dn, &request.atype, &request.val)
                } else {
                    Err(Refused::new(Code::NoSuchObject, ""))
                };
                let code = verdict.map(|is| if is { Code::CompareTrue } else { Code::CompareFalse });
                (wrap(code.map_or_else(LdapResult::from, |code| result(code, ""))), Vec::new())
            }
            write => {
                let dn = name(&write).unwrap_or_default().to_owned();
                let fields = fields(&write);
                let seen = |moment| self.served.watch.tell(&Written { moment, what: &dn, fields: &fields });
                if seen(Moment::Arrived) == Verdict::Drop {
                    return Ok(After::Close);
                }
                let done = if let Some(hold) = self.served.faults.hold() {
                    self.served.held.fetch_add(1, Ordering::SeqCst);
                    // Whoever asked may be gone by then: it is done all the same.
                    tokio::time::sleep(hold).await;
                    let done = self.write(write, &controls);
                    self.served.held.fetch_sub(1, Ordering::SeqCst);
                    done
                } else {
                    self.write(write, &controls)
                };
                if done.is_ok() {
                    seen(Moment::Done);
                }
                let (outcome, ctrl) =
                    done.map_or_else(|refused| (refused.into(), Vec::new()), |ctrl| (result(Code::Success, ""), ctrl));
                (wrap(outcome), ctrl)
            }
        };
        if self.served.faults.loses_answer(operation) {
            return Ok(After::Close);
        }
        self.send(msgid, reply, ctrl).await
    }

    async fn send(&mut self, msgid: i32, op: LdapOp, ctrl: Vec<LdapControl>) -> io::Result<After> {
        self.wire.send(LdapMsg { msgid, op, ctrl }).await?;
        Ok(After::GoOn)
    }

    fn bind(&mut self, request: &LdapBindRequest) -> LdapResult {
        self.bound = false;
        self.paging = None;
        if request.version != 3 {
            return result(Code::ProtocolError, "requested protocol version not supported");
        }
        match &request.cred {
            LdapBindCred::Simple(password) if password.is_empty() && request.dn.is_empty() => result(Code::Success, ""),
            LdapBindCred::Simple(password) if password.is_empty() => {
                result(Code::UnwillingToPerform, "unauthenticated bind (DN with no password) disallowed")
            }
            LdapBindCred::Simple(password) => {
                let plan = &self.served.plan;
                self.bound = fold_dn(&request.dn) == fold_dn(&plan.bind_dn) && *password == plan.password;
                result(if self.bound { Code::Success } else { Code::InvalidCredentials }, "")
            }
            _ => result(Code::AuthMethodNotSupported, ""),
        }
    }

    fn extended(&self, request: &LdapExtendedRequest) -> LdapOp {
        let who = if self.bound { format!("dn:{}", fold_dn(&self.served.plan.bind_dn)) } else { String::new() };
        let (res, value) = match request.name.as_str() {
            WHO_AM_I => (result(Code::Success, ""), Some(who.into_bytes())),
            _ => (result(Code::ProtocolError, "unsupported extended operation"), None),
        };
        LdapOp::ExtendedResponse(LdapExtendedResponse { res, name: None, value })
    }

    fn write(&self, op: LdapOp, controls: &Controls) -> Result<Vec<LdapControl>, Refused> {
        if !self.bound {
            return Err(Refused::new(Code::StrongerAuthRequired, "modifications require authentication"));
        }
        let Some(dn) = name(&op).map(fold_dn) else {
            return Err(Refused::new(Code::UnwillingToPerform, "not simulated"));
        };
        let mut tree = self.served.tree();
        let before = tree.at(&dn).cloned();
        if let (Some(filter), Some(stored)) = (&controls.assertion, &before)
            && judge(filter, stored.as_ref(), &tree.schema) != Some(true)
        {
            return Err(Refused::new(Code::AssertionFailed, ""));
        }
        match op {
            LdapOp::ModifyRequest(request) => modify::modify(&mut tree, &request)?,
            LdapOp::AddRequest(request) => modify::add(&mut tree, request)?,
            LdapOp::DelRequest(dn) => modify::delete(&mut tree, &dn)?,
            _ => {}
        }
        self.served.writes.fetch_add(1, Ordering::Relaxed);
        let read = |oid: &str, names: &Option<Vec<String>>, stored: Option<&Arc<Stored>>| {
            let names = names.as_ref()?;
            controls::read_entry(oid, search::show(stored?, names, false, &[]))
        };
        let pre = read(controls::PRE_READ, &controls.pre_read, before.as_ref());
        let post = read(controls::POST_READ, &controls.post_read, tree.at(&dn));
        Ok(pre.into_iter().chain(post).collect())
    }

    async fn search(&mut self, msgid: i32, request: LdapSearchRequest, controls: Controls) -> io::Result<After> {
        let alone = match (request.base.as_str(), request.scope == LdapSearchScope::Base) {
            ("", true) => Some(root_dse(&self.served.tree(), &request.attrs)),
            (base, true) if self.bound && fold_dn(base) == fold_dn(SUBSCHEMA) => {
                Some(subschema(&self.served.tree(), &request.attrs))
            }
            _ => None,
        };
        // As slapd does it: neither is paged, whatever the client asks for.
        if let Some(entry) = alone {
            self.wire.feed(LdapMsg::new(msgid, LdapOp::SearchResultEntry(entry))).await?;
            return self.send(msgid, LdapOp::SearchResultDone(result(Code::Success, "")), Vec::new()).await;
        }
        let faults = self.served.faults.of_search();
        let (entries, done, ctrl) = match self.gather(&request, controls, &faults) {
            Ok(gathered) => gathered,
            Err(refused) => (Vec::new(), refused.into(), Vec::new()),
        };
        let drop_after = faults.iter().find_map(|fault| match fault {
            Fault::DropAfter(entries) => Some(*entries),
            _ => None,
        });
        let drip = faults.iter().find_map(|fault| match fault {
            Fault::Drip(pause) => Some(*pause),
            _ => None,
        });
        for (at, entry) in entries.into_iter().enumerate() {
            if drop_after == Some(at) {
                self.wire.flush().await?;
                return Ok(After::Close);
            }
            self.wire.feed(LdapMsg::new(msgid, LdapOp::SearchResultEntry(entry))).await?;
            if let Some(pause) = drip {
                self.wire.flush().await?;
                tokio::time::sleep(pause).await;
            } else if at % LOT == LOT - 1 {
                self.wire.flush().await?;
            }
        }
        if drop_after.is_some() {
            self.wire.flush().await?;
            return Ok(After::Close);
        }
        for fault in &faults {
            if let Fault::Referral(uri) = fault {
                let reference = LdapSearchResultReference { uris: vec![uri.clone()] };
                self.wire.feed(LdapMsg::new(msgid, LdapOp::SearchResultReference(reference))).await?;
            }
        }
        if self.served.faults.loses_answer(Operation::Read) {
            self.wire.flush().await?;
            return Ok(After::Close);
        }
        self.send(msgid, LdapOp::SearchResultDone(done), ctrl).await
    }

    /// Reads everything one request returns, under one lock: a page is consistent, two pages need not be.
    fn gather(
        &mut self,
        request: &LdapSearchRequest,
        controls: Controls,
        faults: &[Fault],
    ) -> Result<(Vec<LdapSearchResultEntry>, LdapResult, Vec<LdapControl>), Refused> {
        if !self.bound {
            return Err(Refused::new(Code::NoSuchObject, ""));
        }
        let from = match &controls.page {
            Some((_, cookie)) if !cookie.is_empty() => match self.paging.take() {
                Some(position) if encode(position) == *cookie => position,
                _ => return Err(Refused::new(Code::UnwillingToPerform, "paged results cookie is invalid or old")),
            },
            _ => Position::default(),
        };
        let hard = faults.iter().find_map(|fault| match fault {
            Fault::SizeLimit(entries) => Some(*entries),
            _ => None,
        });
        let asked = usize::try_from(request.sizelimit).ok().filter(|limit| *limit > 0);
        let limit = [hard.or(self.served.plan.size_limit), asked].into_iter().flatten().min();
        let page = controls.page.as_ref().and_then(|(size, _)| usize::try_from(*size).ok()).filter(|size| *size > 0);
        let tree = self.served.tree();
        let found = search::find(&tree, request, from, Bounds { limit, page }, faults)?;
        drop(tree);
        let show = |stored: &Arc<Stored>| search::show(stored, &request.attrs, request.typesonly, faults);
        let mut entries: Vec<_> = found.entries.iter().map(show).collect();
        search::garble(&mut entries, faults);
        let last =
            self.ended_with.take().filter(|_| from != Position::default() && faults.contains(&Fault::RepeatEntry));
        self.ended_with = entries.last().cloned();
        entries.splice(0..0, last);
        self.paging = found.next;
        let ctrl = controls
            .page
            .map(|_| LdapControl::SimplePagedResults { size: 0, cookie: found.next.map(encode).unwrap_or_default() });
        let code = if found.limited { Code::SizeLimitExceeded } else { Code::Success };
        Ok((entries, result(code, ""), ctrl.into_iter().collect()))
    }
}

const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";

fn encode(position: Position) -> Vec<u8> {
    [position.after.to_be_bytes(), (position.sent as u64).to_be_bytes()].concat()
}

const SUBSCHEMA: &str = "cn=Subschema";

fn subschema(tree: &Tree, selection: &[String]) -> LdapSearchResultEntry {
    pseudo(SUBSCHEMA, vec![("attributeTypes", tree.schema.descriptions().map(str::to_owned).collect())], selection)
}

fn root_dse(tree: &Tree, selection: &[String]) -> LdapSearchResultEntry {
    let suffixes = tree.after(0).filter(|stored| tree.is_suffix(&stored.folded));
    let contexts: Vec<String> = suffixes.map(|stored| stored.entry.dn().to_owned()).collect();
    let controls = [controls::PAGED, controls::ASSERTION, controls::PRE_READ, controls::POST_READ];
    let known = vec![
        ("namingContexts", contexts),
        ("subschemaSubentry", vec![SUBSCHEMA.to_owned()]),
        ("supportedControl", controls.map(String::from).to_vec()),
        ("supportedExtension", vec![WHO_AM_I.to_owned()]),
        ("supportedLDAPVersion", vec!["3".to_owned()]),
    ];
    pseudo("", known, selection)
}

/// An entry that is in no tree.
fn pseudo(dn: &str, known: Vec<(&str, Vec<String>)>, selection: &[String]) -> LdapSearchResultEntry {
    let asked = |name: &str| selection.iter().any(|one| one == "+" || one.eq_ignore_ascii_case(name));
    let attributes = known
        .into_iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, values)| LdapPartialAttribute {
            atype: name.to_owned(),
            vals: values.into_iter().map(String::into_bytes).collect(),
        })
        .collect();
    LdapSearchResultEntry { dn: dn.to_owned(), attributes }
}

fn refusal_code(refusal: Refusal) -> Code {
    match refusal {
        Refusal::Busy => Code::Busy,
        Refusal::Unavailable => Code::Unavailable,
        Refusal::Unwilling => Code::UnwillingToPerform,
        Refusal::Forbidden => Code::InsufficentAccessRights,
        Refusal::Internal => Code::Other,
    }
}

fn result(code: Code, message: &str) -> LdapResult {
    LdapResult { code, matcheddn: String::new(), message: message.to_owned(), referral: Vec::new() }
}

impl From<Refused> for LdapResult {
    fn from(refused: Refused) -> Self {
        let Refused { code, matched, message } = refused;
        Self { code, matcheddn: matched, message, referral: Vec::new() }
    }
}

fn bind_response(res: LdapResult) -> LdapOp {
    LdapOp::BindResponse(LdapBindResponse { res, saslcreds: None })
}

fn extended_response(res: LdapResult) -> LdapOp {
    LdapOp::ExtendedResponse(LdapExtendedResponse { res, name: None, value: None })
}

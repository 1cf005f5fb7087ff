//! What the site is and whether it can be worked with: at the start of every pass, and in full for
//! `reconcile check`. Reads only.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::accounts::{Row, accounts};
use super::answer::CONNECTION_FAILED;
use super::client::Client;
use super::config::Settings;
use super::enrolments::{
    Catalogue, Courses, Enrolments, Known, Listing, Memberships, Roles, check_distinct, holders, memberships, unshown,
};
use super::wire::{Call, Report, SiteInfo, User, function};
use crate::model::{Check, ErrorKind, TargetError};
use crate::targets::port::Identity;

/// Looks at the site.
pub struct Inspector {
    client: Arc<Client>,
    settings: Arc<Settings>,
}

/// What the service account sees of itself: it sees nothing more of anybody.
enum Sight {
    Whole { managed: bool },
    Hidden(TargetError),
}

impl Inspector {
    /// An inspector over this client.
    pub fn new(client: Arc<Client>, settings: Arc<Settings>) -> Self {
        Self { client, settings }
    }

    /// The functions that are called.
    fn needed(&self) -> Vec<&'static str> {
        let listing = if self.settings.report.is_some() { function::REPORT } else { function::SEARCH };
        let mut needed = vec![function::BY_FIELD, function::CREATE, function::UPDATE, listing];
        if let Some(enrolments) = &self.settings.enrolments {
            needed.extend([
                function::COURSES,
                function::ENROL,
                function::UNENROL,
                function::ASSIGN,
                function::UNASSIGN,
            ]);
            needed.push(if enrolments.report.is_some() { function::REPORT } else { function::ENROLLED });
        }
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// Which site it is.
    ///
    /// # Errors
    /// The site cannot be reached, or not be worked with.
    pub async fn identity(&self) -> Result<Identity, TargetError> {
        let site = self.client.ask_site().await?;
        let missing: Vec<&str> = self.needed().into_iter().filter(|name| !site.lists(name)).collect();
        if !missing.is_empty() {
            let message = format!("the external service does not list {}; add it there", missing.join(", "));
            return Err(TargetError::new(ErrorKind::Auth, CONNECTION_FAILED, message));
        }
        let managed = match self.sight(&site).await? {
            Sight::Whole { managed } => managed,
            Sight::Hidden(error) => return Err(error),
        };
        let mut warnings = Vec::new();
        if managed {
            warnings.push(MANAGED.to_owned());
        }
        self.provoke().await;
        if self.client.site_debugs() {
            warnings.push(DEBUGS.to_owned());
        }
        if site.userissiteadmin {
            warnings.push(ADMINISTRATES.to_owned());
        }
        Ok(Identity { id: self.id(&site), title: title(&site), warnings })
    }

    fn id(&self, site: &SiteInfo) -> String {
        let url = if site.siteurl.is_empty() { self.settings.url.as_str() } else { &site.siteurl };
        format!("{} user {}", url.trim_end_matches('/'), site.userid)
    }

    async fn sight(&self, site: &SiteInfo) -> Result<Sight, TargetError> {
        let values = [site.userid.to_string()];
        let users: Vec<User> = self.client.call(&Call::ByField { field: "id", values: &values }).await?;
        let own = users.into_iter().find(|user| user.id == site.userid).map(Row::try_from);
        Ok(match own {
            Some(Ok(row)) => Sight::Whole { managed: row.auth == self.settings.auth },
            Some(Err(error)) => Sight::Hidden(error),
            None => Sight::Whole { managed: false },
        })
    }

    /// A look-up that must be refused: only a failure shows whether the site tells causes.
    async fn provoke(&self) {
        let values = ["-".to_owned()];
        // Refused is what it is to be.
        let _: Result<Vec<User>, TargetError> = self.client.call(&Call::ByField { field: "id", values: &values }).await;
    }

    /// Everything that can be looked at, each finding with its fix.
    pub async fn check(&self) -> Vec<Check> {
        let site = match self.client.ask_site().await {
            Ok(site) => site,
            Err(error) => return vec![failed("connection", &error, "check url, token or log-in, and the certificate")],
        };
        let mut found = vec![Check::good("connection", title(&site))];
        self.check_functions(&site, &mut found);
        found.push(match self.sight(&site).await {
            Err(error) => failed("sight", &error, "list core_user_get_users_by_field in the external service"),
            Ok(Sight::Hidden(error)) => failed("sight", &error, "see the rights in the README of this target"),
            Ok(Sight::Whole { managed: true }) => {
                Check::warning("sight", MANAGED, "give the service account another authentication method")
            }
            Ok(Sight::Whole { managed: false }) => {
                Check::good("sight", "user name, e-mail, method and suspension of accounts are visible")
            }
        });
        self.provoke().await;
        found.push(if self.client.site_debugs() {
            Check::warning("debugging", DEBUGS, "set the site's debug messages to NONE")
        } else {
            Check::good("debugging", "errors do not tell their cause")
        });
        found.push(if site.userissiteadmin {
            Check::warning("administrator", ADMINISTRATES, "use a service account with a role of its own")
        } else {
            Check::good("administrator", "the service account is no site administrator")
        });
        found.push(self.check_accounts_report().await);
        if let Some(enrolments) = &self.settings.enrolments {
            found.extend(self.check_enrolments(enrolments, &site).await);
        }
        found
    }

    fn check_functions(&self, site: &SiteInfo, found: &mut Vec<Check>) {
        let needed = self.needed();
        let missing: Vec<&&str> = needed.iter().filter(|name| !site.lists(name)).collect();
        if missing.is_empty() {
            found.push(Check::good("functions", format!("all {} are listed in the external service", needed.len())));
        }
        let fix = "add it to the external service (Site administration > Server > Web services)";
        found.extend(missing.into_iter().map(|name| Check::problem("functions", format!("{name} is not listed"), fix)));
    }

    async fn check_accounts_report(&self) -> Check {
        let what = "report of accounts";
        let Some(config) = &self.settings.report else {
            let fix = "make a custom report of source \"Users\" and set [moodle.report]";
            return Check::warning(what, "none: every account is read one by one, in minutes", fix);
        };
        let fix = "compare [moodle.report] with the report, in the language of the service account";
        let report = match self.client.call::<Report>(&Call::Report(config.id)).await {
            Ok(report) => report,
            Err(error) => return failed(what, &error, "check report.id, moodle/reportbuilder:view and :viewall"),
        };
        match accounts(report, config, &self.settings.auth, self.settings.templates.city(), |row| row.auth) {
            Err(error) => failed(what, &error, fix),
            Ok((rows, total)) if rows.len() as u64 != total => {
                let found = format!("{total} accounts by its own count, {} shown", rows.len());
                Check::problem(what, found, "raise the memory limit of the site")
            }
            Ok((rows, _)) if !rows.is_empty() && !rows.iter().any(|auth| *auth == self.settings.auth) => {
                let found = format!("{} accounts, none with the method `{}`", rows.len(), self.settings.auth);
                Check::warning(
                    what,
                    found,
                    "right while nobody of ours has an account; otherwise set report.auth to the text that stands for the method",
                )
            }
            Ok((rows, _)) => Check::good(what, format!("{} accounts, all columns found", rows.len())),
        }
    }

    async fn check_enrolments(&self, enrolments: &Enrolments, site: &SiteInfo) -> Vec<Check> {
        let what = "courses";
        let catalogue = Catalogue::new(Arc::clone(&self.client), &enrolments.institution);
        let Listing { ours: courses, all, others } = match catalogue.list().await {
            Ok(listing) => listing,
            Err(error) => {
                return vec![failed(what, &error, "grant moodle/course:view, :viewhiddencourses and :update")];
            }
        };
        let shown = format!("institution:code:version:year:term of institution {}", enrolments.institution);
        let mut found = vec![if courses.is_empty() && !others.is_empty() {
            let others: Vec<String> = others.iter().map(|(number, count)| format!("{count} of {number}")).collect();
            let (institution, others) = (&enrolments.institution, others.join(", "));
            let text =
                format!("no course of institution {institution} among {all} courses of the site; there are {others}");
            Check::warning(what, text, "compare `number` in [institution] with the ID numbers of courses")
        } else if courses.is_empty() {
            let fix = "give courses their ID number, or run pipeline moodle-courses first";
            Check::warning(what, format!("none of {all} has an ID number {shown}"), fix)
        } else {
            Check::good(what, format!("{} have an ID number {shown}", courses.len()))
        }];
        let (report, memberships) = self.check_participants(enrolments, &courses).await;
        found.push(report);
        if site.lists(function::ENROLLED) {
            if !courses.is_empty() {
                found.extend(self.check_roles(enrolments, &courses, memberships).await);
            }
        } else if enrolments.report.is_some() {
            let unlisted = format!("{} is not listed", function::ENROLLED);
            let fix = "add it to the external service: a course is then looked at before anybody is enrolled in it";
            found.push(Check::warning("hidden enrolments", unlisted.clone(), fix));
            let fix = "add it to the external service: the ids of roles are then compared before they are sent";
            found.push(Check::warning("roles", unlisted, fix));
        }
        found
    }

    async fn check_participants(&self, enrolments: &Enrolments, courses: &Courses) -> (Check, Option<Memberships>) {
        let what = "report of enrolments";
        let Some(config) = &enrolments.report else {
            let fix = "make a custom report of source \"Course participants\" and set [moodle.enrolments.report]";
            let found = "none: every course is read by itself, and only enrolments that this program made are removed";
            return (Check::warning(what, found, fix), None);
        };
        let fix = "compare [moodle.enrolments.report] with the report, in the language of the service account";
        let report = match self.client.call::<Report>(&Call::Report(config.id)).await {
            Ok(report) => report,
            Err(error) => {
                let fix = "check enrolments.report.id, moodle/reportbuilder:view and :viewall";
                return (failed(what, &error, fix), None);
            }
        };
        let all = match memberships(report, config) {
            Ok(all) => all,
            Err(error) => return (failed(what, &error, fix), None),
        };
        let hidden = unshown(&all, courses).len();
        let check = if hidden > 0 {
            let fix = "take every condition out of the report, and give each course an enrolment method";
            Check::problem(what, format!("{hidden} courses of ours stand in none of its rows"), fix)
        } else if let Err(error) = check_distinct(&all.rows, courses) {
            failed(what, &error, fix)
        } else if !all.rows.is_empty() && !all.rows.iter().any(|row| row.manual) {
            let fix = "right while nobody is enrolled by this program; otherwise set enrolments.report.manual to the method's text";
            Check::warning(what, format!("{} rows, none by the manual method", all.rows.len()), fix)
        } else {
            Check::good(what, format!("{} rows, all columns found", all.rows.len()))
        };
        (check, Some(all))
    }

    /// No function lists roles: those that somebody holds in a course are compared.
    async fn check_roles(
        &self,
        enrolments: &Enrolments,
        courses: &Courses,
        memberships: Option<Memberships>,
    ) -> Vec<Check> {
        let what = "roles";
        let roles = Roles::new(&enrolments.role_ids);
        let mut book = roles.book().await;
        match memberships {
            Some(all) => book.hold(holders(&all.rows, courses)),
            // The newest courses are most likely to have somebody in them.
            None => book.try_also(courses.values().copied().collect::<BTreeSet<u64>>().into_iter().rev()),
        }
        let wanted: BTreeSet<&str> = enrolments.roles.values().map(String::as_str).collect();
        if let Err(error) = roles.look(&self.client, &wanted, &mut book).await {
            return vec![failed(what, &error, "grant moodle/course:viewparticipants and moodle/role:review")];
        }
        let (mut right, mut wrong, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
        for role in wanted {
            match roles.known(role, &book) {
                Known::Right => right.push(role),
                Known::Wrong(words) => wrong.push(words),
                Known::Unseen => unseen.push(role),
            }
        }
        let place = "the number in the role's address (Site administration > Users > Define roles)";
        let mut found = Vec::new();
        if !wrong.is_empty() {
            let fix = format!("correct enrolments.role_ids; an id is {place}");
            found.push(Check::problem(what, wrong.join("; "), fix));
        }
        if !unseen.is_empty() {
            let set = |role: &&str| format!("{role} = {}", enrolments.role_ids.get(*role).copied().unwrap_or_default());
            let set: Vec<String> = unseen.iter().map(set).collect();
            let looked = match book.looked() {
                1 => "the course that was".to_owned(),
                count => format!("the {count} courses that were"),
            };
            let text = format!("nobody was seen with {} in {looked} looked at, so not compared", unseen.join(", "));
            let fix = format!("compare `{}` in enrolments.role_ids by hand with {place}", set.join("`, `"));
            found.push(Check::warning(what, text, fix));
        }
        if !right.is_empty() {
            found.push(Check::good(what, format!("the ids of {} are as configured", right.join(", "))));
        }
        found
    }
}

const MANAGED: &str = "the service account has the managed authentication method; it is left alone all the same";
const DEBUGS: &str = "debugging is on at the site: its errors and logs show names and addresses";
const ADMINISTRATES: &str =
    "the service account is a site administrator: the site no longer protects administrators from it";

fn title(site: &SiteInfo) -> String {
    format!("{}, Moodle {}", site.sitename, site.release)
}

fn failed(what: &str, error: &TargetError, fix: &str) -> Check {
    Check::problem(what, format!("{}: {}", error.code, error.message), fix)
}

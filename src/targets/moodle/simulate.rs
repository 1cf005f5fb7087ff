//! The simulated site as the demo starts it: with foreign accounts, both reports, and somebody who changes
//! things by hand.

use crate::targets::moodle::sim::{MoodleSim, SitePlan, User};
use crate::targets::port::Simulation;

const TOKEN: &str = "DEMO_MOODLE_TOKEN";
const AUTH: &str = "oidc";

/// A running site.
pub struct Site(MoodleSim);

impl Site {
    /// Starts a site on which nobody but its administrators has an account.
    pub async fn start() -> std::io::Result<Self> {
        let plan = SitePlan { site_name: "Demo campus".into(), ..SitePlan::default() };
        let site = MoodleSim::start(plan).await?;
        for name in ["guest.lecturer", "library-kiosk"] {
            let user = User { username: name.into(), auth: "manual".into(), ..User::default() };
            site.world().add_user(User {
                firstname: "Local".into(),
                lastname: "Account".into(),
                email: format!("{name}@elsewhere.example"),
                ..user
            });
        }
        Ok(Self(site))
    }

    /// Accounts that are managed, by user name: ids depend on which batch came first.
    fn managed(&self) -> Vec<User> {
        let users = self.0.world().users().into_iter();
        let mut managed: Vec<User> = users.filter(|user| user.auth == AUTH && !user.suspended).collect();
        managed.sort_by(|one, two| one.username.cmp(&two.username));
        managed
    }
}

impl Simulation for Site {
    fn section(&self) -> String {
        format!(
            "[moodle]\nurl = \"{}\"\ntoken = \"env:{TOKEN}\"\nauth = \"{AUTH}\"\nbatch_size = 200\nmax_fields = 4500\n\n\
             [moodle.report]\nid = 1\n\n[moodle.pace]\nper_second = 200\nburst = 20\nconcurrency = 4\n",
            self.0.base_url()
        )
    }

    fn secrets(&self) -> Vec<(String, String)> {
        vec![(TOKEN.to_owned(), self.0.token().to_owned())]
    }

    fn tamper(&self) -> Vec<String> {
        let world = self.0.world();
        let mut told = Vec::new();
        for (at, user) in self.managed().into_iter().step_by(97).take(6).enumerate() {
            let did = match at % 3 {
                0 => {
                    world.edit_user(user.id, |user| user.department = "Typed in by hand".into());
                    "gave another department to"
                }
                1 => {
                    world.edit_user(user.id, |user| user.suspended = true);
                    "suspended"
                }
                _ => {
                    world.edit_user(user.id, |user| user.firstname = "Oops".into());
                    "renamed"
                }
            };
            told.push(format!("Moodle: somebody {did} {}", user.username));
        }
        told
    }
}

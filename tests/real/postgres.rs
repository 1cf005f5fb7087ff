//! A real PostgreSQL for one test: started through `tests/servers/postgres.sh`, stopped by its pid file, also when
//! the test fails. One database `mv`, an administrator on the Unix socket, and `reader`, who may only read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reconcile::sources::metavault::read_model;
use sqlx::postgres::PgConnectOptions;

use crate::rig::until;
use crate::slapd::{ended, installed, silent_port};

/// The environment variable that holds the reader's password.
pub const VARIABLE: &str = "REAL_MV_PASSWORD";
/// The reader's password.
pub const PASSWORD: &str = "reader-Vault-4711";

/// Whatever the administrator makes in `public` the reader may read.
const READER: &str = "CREATE ROLE reader LOGIN PASSWORD 'reader-Vault-4711';
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO reader;";

/// A running server.
pub struct Postgres {
    dir: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts one in `dir`, with an empty database.
    pub fn start(dir: &Path) -> Self {
        installed(&["psql", "openssl"]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/postgres.sh");
        let mut said = String::new();
        // A free port may be taken by somebody else before the server binds it.
        for _ in 0..5 {
            let server = Self { dir: dir.to_owned(), port: silent_port() };
            let mut command = Command::new(&script);
            let done = command.arg(dir).arg(server.port.to_string()).stdin(Stdio::null()).output().unwrap();
            if done.status.success() {
                server.psql("postgres", "CREATE DATABASE mv");
                server.sql(READER);
                return server;
            }
            said = String::from_utf8_lossy(&done.stderr).into_owned();
        }
        panic!("PostgreSQL does not start: {said}");
    }

    /// As the administrator, by the socket.
    pub fn administrator(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().socket(self.socket()).port(self.port);
        options.username("postgres").database("mv")
    }

    /// `[metavault]` for the reader, by TLS.
    pub fn configuration(&self) -> String {
        let (url, ca) = (self.url("reader"), self.ca_file());
        format!("url = \"{url}\"\nca_file = \"{}\"\npassword = \"env:{VARIABLE}\"\n", ca.display())
    }

    /// Its address by TCP.
    pub fn url(&self, user: &str) -> String {
        format!("postgres://{user}@localhost:{}/mv", self.port)
    }

    /// The directory of its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    /// The CA that signed its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// Runs SQL as the administrator and gives back what it says, fields by `|`.
    pub fn sql(&self, sql: &str) -> String {
        self.psql("mv", sql)
    }

    /// Everything in the read model's tables, as one text that differs where anything does.
    pub fn digest(&self) -> String {
        let one = |table| format!("SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t;");
        self.sql(&read_model::TABLES.map(|(table, _)| one(table)).concat())
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new("psql");
        command.arg("-h").arg(self.socket()).args(["-p", &self.port.to_string(), "-U", "postgres", "-d", database]);
        let done = command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]).output().unwrap();
        assert!(done.status.success(), "psql: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Ok(file) = fs::read_to_string(self.dir.join("data/postmaster.pid")) else { return };
        let pid = file.lines().next().unwrap_or_default().to_owned();
        // QUIT: at once, nothing is kept.
        let kill = Command::new("kill").args(["-s", "QUIT", &pid]).stderr(Stdio::null()).status();
        if kill.is_ok_and(|status| status.success()) {
            until("PostgreSQL has ended", || ended(&pid));
        }
    }
}

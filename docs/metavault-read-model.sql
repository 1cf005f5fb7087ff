-- The read model: what reconcile reads of MetaVault, and all it reads of it.
--
-- In production these are views that the institution makes over its own master tables, in a schema the
-- reading account sees; names and types here are the contract. The same text makes the tables of tests and
-- of the demo, on SQLite and on PostgreSQL.
--
-- Dates are ISO-8601 text (`2026-09-01`), as in the documented source columns. `status` is `A` (active) or
-- `I` (inactive). `uhid` is the UH-ID in lower case. Organisation ids are `institution:system:orgs:id`.
-- `updated_at` is shown, never trusted: reloads rewrite it and deletes leave no trace.

CREATE TABLE mv_semester (
  id TEXT PRIMARY KEY,                              -- '2026:HØST'
  year INTEGER NOT NULL,
  term TEXT NOT NULL CHECK (term IN ('VÅR', 'SOM', 'HØST')),
  starts_on TEXT NOT NULL,
  ends_on TEXT NOT NULL,
  UNIQUE (year, term)
);

CREATE TABLE mv_org (
  id TEXT PRIMARY KEY,
  parent_id TEXT REFERENCES mv_org (id),
  acronym TEXT NOT NULL,
  name_nb TEXT NOT NULL,
  name_en TEXT,
  stedkode TEXT CHECK (length(stedkode) = 6),       -- faculty, department, group: two digits each
  institution TEXT NOT NULL,
  costcenter TEXT,
  status TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE mv_org_manager (
  org_id TEXT NOT NULL REFERENCES mv_org (id),
  uhid TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('manager', 'deputy')),
  until TEXT,
  PRIMARY KEY (org_id, uhid, kind)
);

-- One row per person and source system; several rows of one person are folded by UH-ID.
CREATE TABLE mv_person (
  uhid TEXT NOT NULL,
  source_system TEXT NOT NULL,                      -- 'sap', 'fs', 'grg'
  source_id TEXT NOT NULL,
  uhun TEXT NOT NULL,
  status TEXT NOT NULL,
  eppn TEXT,
  employee_no TEXT,
  student_no TEXT,
  fs_personlopenr TEXT,
  first_name TEXT,
  last_name TEXT,
  fnr TEXT,
  birthdate TEXT,
  start_date TEXT,
  end_date TEXT,
  main_org TEXT,
  email TEXT,
  mobile TEXT,
  language TEXT,
  reservation TEXT,
  fagperson INTEGER,                                -- 1 where FS knows the person as a teacher
  dfo_brukerident TEXT,
  campus TEXT,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (uhid, source_system, source_id)
);

CREATE TABLE mv_affiliation (
  uhid TEXT NOT NULL,
  kind TEXT NOT NULL,                               -- 'employee', 'student', 'guest'
  org_id TEXT NOT NULL,
  role TEXT NOT NULL,
  valid_from TEXT NOT NULL DEFAULT '',
  valid_to TEXT,
  is_primary INTEGER NOT NULL,
  PRIMARY KEY (uhid, kind, org_id, role, valid_from)
);

-- master_positions with `held_by` (`institution:system:employee:no`) resolved to the person.
CREATE TABLE mv_position (
  uhid TEXT NOT NULL,
  employee_no TEXT NOT NULL,
  job_code TEXT NOT NULL,
  yrk TEXT,                                         -- occupational code, seven digits: '2310121'
  title TEXT,
  org_id TEXT NOT NULL,
  valid_from TEXT NOT NULL DEFAULT '',
  valid_to TEXT,
  status TEXT NOT NULL,
  PRIMARY KEY (uhid, employee_no, job_code, org_id, valid_from)
);

CREATE TABLE mv_topic (
  source_id TEXT PRIMARY KEY,                       -- 'institution:code:version', '185:INF1000:1'
  institution TEXT NOT NULL,
  code TEXT NOT NULL,
  version TEXT NOT NULL,
  name_nb TEXT NOT NULL,
  name_nn TEXT,
  name_en TEXT,
  topic_type TEXT,
  org_id TEXT,
  status TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (institution, code, version)
);

CREATE TABLE mv_teaching (
  id BIGINT PRIMARY KEY,
  topic_id TEXT NOT NULL REFERENCES mv_topic (source_id),
  semester_id TEXT NOT NULL REFERENCES mv_semester (id),
  term_no INTEGER NOT NULL DEFAULT 1,               -- which term of a teaching that runs over several
  status TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (topic_id, semester_id, term_no)
);

CREATE TABLE mv_enrolment (
  uhid TEXT NOT NULL,
  teaching_id BIGINT NOT NULL REFERENCES mv_teaching (id),
  kind TEXT NOT NULL CHECK (kind IN ('student', 'teacher')),
  role TEXT NOT NULL,                               -- the source's own role: 'student', 'responsible', 'lecturer', 'assistant'
  status TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (teaching_id, uhid, kind, role)
);

CREATE INDEX mv_enrolment_uhid ON mv_enrolment (uhid);

-- Example views: the read model (metavault-read-model.sql) over MetaVault's own master tables, for PostgreSQL.
--
-- An example to start from, not a contract. Columns of master_persons, master_orgs and master_positions are as the
-- documentation of MetaVault names them. What is marked ASSUMED is not documented, or differs between institutions:
-- compare it with your own tables before you use it. `reconcile check` then says what is still missing.
--
--   CREATE SCHEMA reconcile; SET search_path TO reconcile, public;  \i metavault-views.sql
--   CREATE ROLE reconcile LOGIN;  GRANT USAGE ON SCHEMA reconcile TO reconcile;
--   GRANT SELECT ON ALL TABLES IN SCHEMA reconcile TO reconcile;    and `schema = "reconcile"` in [metavault]
--
-- A reading is one transaction of some seconds. It holds the lock of an ordinary SELECT on the views and on the tables
-- under them: a load that begins to TRUNCATE meanwhile waits for its end, and a reading waits for the end of a load.
--
-- No view shows national numbers, private addresses or passport numbers: nothing here reads them.

-- One row per person and source system, as the master has them; they are folded by UH-ID when they are read.
CREATE VIEW mv_person AS
SELECT
  lower(p.uhid) AS uhid,
  p.source_system,
  p.source_id,
  p.uhun,
  p.status,
  p.eppn,
  CASE WHEN lower(p.source_system) <> 'fs' THEN p.employee_no END AS employee_no,
  CASE WHEN lower(p.source_system) = 'fs' THEN p.external_id END AS student_no,       -- ASSUMED: where FS' student number stands
  p.first_name,
  p.last_name,
  p.birthdate,
  p.start_date,
  p.end_date,
  p.main_organization AS main_org,
  p.language_preferred AS language,
  p.reservation,
  p.dfo_brukerident,
  p.campus,
  p.updated_at
FROM master_persons p;

-- `held_by` is `institution:system:employee:number`: the person's key in the source system, not the UH-ID. A person
-- has several rows, so the pairs are made distinct before anything is joined to them.
CREATE VIEW mv_position AS
SELECT
  who.uhid,
  who.employee_no,
  coalesce(pos.job_code, '') AS job_code,
  pos.yrk,
  coalesce(nullif(pos.custom_title, ''), pos.title) AS title,
  pos.organization AS org_id,
  coalesce(pos.held_from, '') AS valid_from,
  pos.held_until AS valid_to,
  pos.status
FROM master_positions pos
JOIN (
  SELECT DISTINCT
    lower(uhid) AS uhid,
    employee_no,
    source_institution || ':' || source_system || ':employee:' || employee_no AS held_by
  FROM master_persons
  WHERE employee_no IS NOT NULL
) who ON who.held_by = pos.held_by;

-- Employees by their positions, students by their study rights.
CREATE VIEW mv_affiliation AS
SELECT
  pos.uhid,
  'employee' AS kind,
  pos.org_id,
  'employee' AS role,                                                                 -- ASSUMED: nothing finer is needed
  min(pos.valid_from) AS valid_from,
  max(pos.valid_to) AS valid_to,
  max(CASE WHEN p.main_org = pos.org_id THEN 1 ELSE 0 END) AS is_primary
FROM mv_position pos
LEFT JOIN mv_person p ON p.uhid = pos.uhid
WHERE pos.status = 'A'
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT
  lower(p.uhid),
  'student',
  r.organization,                                                                     -- ASSUMED: master_studyrights.organization
  'student',
  coalesce(min(r.valid_from), ''),                                                    -- ASSUMED: valid_from, valid_to
  max(r.valid_to),
  0
FROM master_studyrights r
JOIN (SELECT DISTINCT uhid, source_institution, external_id FROM master_persons WHERE lower(source_system) = 'fs') p
  ON r.held_by = p.source_institution || ':' || p.external_id                         -- ASSUMED: `institution:student number`
WHERE r.status = 'A'
GROUP BY 1, 2, 3, 4;

-- The master has a row for each manager of a unit; the unit itself is the same in all of them. OrgReg knows the
-- names in both languages, and which FS unit (stedkode) a payroll unit is.
CREATE VIEW mv_org AS
SELECT DISTINCT ON (o.id)
  o.id,
  o.parent_id,
  coalesce(r.acronym, o.short_name, '') AS acronym,
  coalesce(r.norwegian_name, o.name) AS name_nb,
  r.english_name AS name_en,
  fs.external_key_value AS stedkode,
  o.source_institution AS institution,
  o.costcenter,
  o.status,
  o.updated_at
FROM master_orgs o
LEFT JOIN orgreg_load r                                                               -- ASSUMED: ou_id, external_key_system
  ON lower(r.external_key_system) = lower(o.source_system) AND r.external_key_value = o.source_id
LEFT JOIN orgreg_load fs
  ON fs.ou_id = r.ou_id AND lower(fs.external_key_system) = 'fs' AND fs.external_key_type = 'stedkode'
ORDER BY o.id, o.status, o.managed_by;

CREATE VIEW mv_org_manager AS
SELECT DISTINCT o.id AS org_id, who.uhid, 'manager' AS kind, CAST(NULL AS text) AS until
FROM master_orgs o
JOIN (
  SELECT lower(uhid) AS uhid, source_institution || ':' || source_system || ':employee:' || employee_no AS held_by
  FROM master_persons
) who ON who.held_by = o.managed_by
UNION
SELECT o.id, who.uhid, 'deputy', max(o.deputy_held_to)
FROM master_orgs o
JOIN (
  SELECT lower(uhid) AS uhid, source_institution || ':' || source_system || ':employee:' || employee_no AS held_by
  FROM master_persons
) who ON who.held_by = o.deputy_id
GROUP BY 1, 2, 3;

-- The FS masters: their names are documented, their columns are not. Everything below is ASSUMED, but the key of a
-- topic: `institution:code:version`.
CREATE VIEW mv_semester AS
SELECT
  s.year || ':' || s.term AS id,
  CAST(s.year AS integer) AS year,
  s.term,                                                                             -- 'VÅR', 'SOM', 'HØST'
  s.starts_on,
  s.ends_on
FROM master_semester s;

CREATE VIEW mv_topic AS
SELECT
  t.source_id,
  split_part(t.source_id, ':', 1) AS institution,
  split_part(t.source_id, ':', 2) AS code,
  split_part(t.source_id, ':', 3) AS version,
  t.name_nb,
  t.name_nn,
  t.name_en,
  t.topic_type,
  t.organization AS org_id,
  t.status,
  t.updated_at
FROM master_topics t;

CREATE VIEW mv_teaching AS
SELECT
  t.id,
  t.topic_id,
  t.year || ':' || t.term AS semester_id,
  coalesce(t.term_no, 1) AS term_no,
  t.status,
  t.updated_at
FROM master_teaching t;

CREATE VIEW mv_enrolment AS
SELECT lower(p.uhid) AS uhid, s.teaching_id, 'student' AS kind, 'student' AS role, s.status, s.updated_at
FROM master_studentteacher s
JOIN (SELECT DISTINCT uhid, source_institution, external_id FROM master_persons WHERE lower(source_system) = 'fs') p
  ON s.held_by = p.source_institution || ':' || p.external_id
UNION ALL
SELECT lower(p.uhid), r.teaching_id, 'teacher', r.role, r.status, r.updated_at
FROM master_roles r
JOIN (
  SELECT DISTINCT uhid, source_institution || ':' || source_system || ':employee:' || employee_no AS held_by
  FROM master_persons
) p ON p.held_by = r.held_by;

-- Privileges that PostgreSQL does not have: CHANGEFEED on tables, system privileges, role options.
CREATE OR REPLACE FUNCTION crdb_sim.is_own_privilege(name text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT upper(name) IN ('CHANGEFEED', 'BACKUP', 'RESTORE', 'DROP', 'ZONECONFIG', 'REPLICATIONSOURCE', 'REPLICATIONDEST') $$;

-- privileges as written (SELECT, CHANGEFEED, ALL); objects: [["t"],["s","t"]]; the part that PostgreSQL knows goes to it.
CREATE OR REPLACE PROCEDURE crdb_sim.grant_on_tables(revoke boolean, privileges text[], objects jsonb, grantees text[], grantable boolean) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  object jsonb;
  relation regclass;
  named text[];
  ordinary text;
  own text;
  grantee_name text;
BEGIN
  SELECT string_agg(p, ', ') INTO ordinary FROM unnest(privileges) p WHERE NOT crdb_sim.is_own_privilege(p);
  FOR object IN SELECT jsonb_array_elements(objects) LOOP
    named := crdb_sim.split_name(ARRAY(SELECT jsonb_array_elements_text(object)));
    relation := to_regclass(format('%I.%I', named[1], named[2]));
    IF relation IS NULL THEN PERFORM crdb_sim.fail('42P01', format('relation "%s" does not exist', named[2])); END IF;
    IF NOT pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = relation), 'USAGE') THEN
      PERFORM crdb_sim.fail('42501', format('user %s does not have GRANT privilege on relation %s', session_user, named[2]));
    END IF;
    FOREACH grantee_name IN ARRAY grantees LOOP
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = grantee_name) AND grantee_name <> 'public' THEN PERFORM crdb_sim.fail('42704', format('role/user "%s" does not exist', grantee_name)); END IF;
      IF ordinary IS NOT NULL THEN
        EXECUTE format(CASE WHEN revoke THEN 'REVOKE %s ON %s FROM %s' ELSE 'GRANT %s ON %s TO %s' END, ordinary, relation, CASE grantee_name WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(grantee_name) END);
      END IF;
      FOREACH own IN ARRAY privileges LOOP
        CONTINUE WHEN NOT crdb_sim.is_own_privilege(own) AND upper(own) NOT LIKE 'ALL%';
        own := CASE WHEN upper(own) LIKE 'ALL%' THEN 'CHANGEFEED' ELSE upper(own) END;
        DELETE FROM crdb_sim.privilege p WHERE p.grantee = grantee_name AND p.table_id = relation::oid::bigint AND p.privilege = own;
        IF NOT revoke THEN INSERT INTO crdb_sim.privilege VALUES (grantee_name, relation::oid::bigint, own, grantable); END IF;
      END LOOP;
    END LOOP;
  END LOOP;
END $$;

CREATE OR REPLACE PROCEDURE crdb_sim.grant_system(revoke boolean, privileges text[], grantees text[], grantable boolean) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  wanted text;
  grantee_name text;
BEGIN
  IF NOT crdb_sim.is_admin(session_user) THEN PERFORM crdb_sim.fail('42501', format('user %s does not have REPAIRCLUSTER system privilege', session_user)); END IF;
  FOREACH wanted IN ARRAY privileges LOOP
    wanted := upper(wanted);
    IF wanted NOT IN ('VIEWJOB', 'CONTROLJOB', 'VIEWACTIVITY', 'MODIFYCLUSTERSETTING', 'VIEWCLUSTERSETTING', 'VIEWSYSTEMTABLE', 'VIEWCLUSTERMETADATA', 'CREATEDB', 'CREATEROLE', 'CREATELOGIN', 'REPLICATION', 'CONTROLCHANGEFEED', 'ALL') THEN
      PERFORM crdb_sim.fail('42601', format('not a valid privilege: "%s"', lower(wanted)));
    END IF;
    FOREACH grantee_name IN ARRAY grantees LOOP
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = grantee_name) THEN PERFORM crdb_sim.fail('42704', format('role/user "%s" does not exist', grantee_name)); END IF;
      DELETE FROM crdb_sim.privilege p WHERE p.grantee = grantee_name AND p.table_id = 0 AND p.privilege = wanted;
      IF NOT revoke THEN INSERT INTO crdb_sim.privilege VALUES (grantee_name, 0, wanted, grantable); END IF;
    END LOOP;
  END LOOP;
END $$;

-- CREATE or ALTER ROLE, of which PostgreSQL gets what it knows, and CockroachDB's role options are kept here.
CREATE OR REPLACE PROCEDURE crdb_sim.role_statement(statement text, role_name text, options text[], unless_there boolean) LANGUAGE plpgsql AS $$
DECLARE
  option text;
BEGIN
  IF statement <> '' AND NOT (unless_there AND EXISTS (SELECT FROM pg_roles WHERE rolname = role_name)) THEN EXECUTE statement; END IF;
  FOREACH option IN ARRAY options LOOP
    CALL crdb_sim.grant_system(option LIKE 'NO%', ARRAY[regexp_replace(option, '^NO', '')], ARRAY[role_name], false);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.has_changefeed(user_name text, relation oid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT crdb_sim.is_admin(user_name) OR pg_has_role(user_name, (SELECT relowner FROM pg_class WHERE oid = relation), 'USAGE')
    OR EXISTS (SELECT FROM crdb_sim.privilege p WHERE p.table_id = relation::bigint AND p.privilege = 'CHANGEFEED'
      AND (p.grantee IN ('public', user_name) OR pg_has_role(user_name, p.grantee, 'USAGE'))) $$;

CREATE OR REPLACE FUNCTION crdb_sim.has_table_privilege(user_name text, relation text, wanted text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT crdb_sim.is_own_privilege(wanted) THEN RETURN pg_catalog.has_table_privilege(user_name::name, relation, wanted); END IF;
  RETURN crdb_sim.has_changefeed(user_name, relation::regclass);
END $$;
CREATE OR REPLACE FUNCTION crdb_sim.has_table_privilege(relation text, wanted text) RETURNS boolean LANGUAGE sql STABLE
  AS 'SELECT crdb_sim.has_table_privilege(current_user::text, relation, wanted)';
CREATE OR REPLACE FUNCTION crdb_sim.has_table_privilege(user_name text, relation oid, wanted text) RETURNS boolean LANGUAGE sql STABLE
  AS 'SELECT crdb_sim.has_table_privilege(user_name, relation::regclass::text, wanted)';
CREATE OR REPLACE FUNCTION crdb_sim.has_table_privilege(relation oid, wanted text) RETURNS boolean LANGUAGE sql STABLE
  AS 'SELECT crdb_sim.has_table_privilege(current_user::text, relation::regclass::text, wanted)';

CREATE OR REPLACE FUNCTION crdb_sim.authorize_changefeed(user_name text, sink text, relations bigint[]) RETURNS void LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
  reads_all boolean := (SELECT bool_and(pg_catalog.has_table_privilege(user_name, r::oid, 'SELECT')) FROM unnest(relations) r WHERE EXISTS (SELECT FROM pg_class WHERE oid = r::oid));
  feeds_all boolean := (SELECT bool_and(crdb_sim.has_changefeed(user_name, r::oid)) FROM unnest(relations) r WHERE EXISTS (SELECT FROM pg_class WHERE oid = r::oid));
BEGIN
  IF crdb_sim.is_admin(user_name) THEN RETURN; END IF;
  IF crdb_sim.has_system_privilege(user_name, 'CONTROLCHANGEFEED') THEN
    IF NOT reads_all THEN PERFORM crdb_sim.fail('42501', format('user "%s" with CONTROLCHANGEFEED role option requires the SELECT privilege on all target tables to be able to run an enterprise changefeed', user_name)); END IF;
  ELSIF sink IS NULL THEN
    IF NOT reads_all THEN PERFORM crdb_sim.fail('42501', format('user "%s" requires the SELECT privilege on all target tables to be able to run a core changefeed', user_name)); END IF;
  ELSIF NOT feeds_all THEN
    PERFORM crdb_sim.fail('42501', format('user "%s" requires the CHANGEFEED privilege on all target tables to be able to run an enterprise changefeed', user_name));
  END IF;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.show_grants(objects jsonb, for_users text[]) RETURNS TABLE (database_name text, schema_name text, table_name text, grantee text, privilege_type text, is_grantable boolean) LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT current_database()::text, t.schema, t.name, g.grantee, g.privilege, g.grantable
  FROM (SELECT crdb_sim.split_name(ARRAY(SELECT jsonb_array_elements_text(o))) AS named FROM jsonb_array_elements(objects) o) wanted
  JOIN crdb_sim.tbl t ON t.schema = named[1] AND t.name = named[2] AND NOT t.dropped
  CROSS JOIN LATERAL (
    SELECT 'root' AS grantee, 'ALL' AS privilege, true AS grantable UNION ALL SELECT 'admin', 'ALL', true
    UNION ALL SELECT coalesce(r.rolname::text, 'public'), a.privilege_type, a.is_grantable FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE c.oid = t.table_id::oid AND NOT crdb_sim.is_admin(coalesce(r.rolname::text, 'public'))
    UNION ALL SELECT p.grantee, p.privilege, p.grantable FROM crdb_sim.privilege p WHERE p.table_id = t.table_id) g
  WHERE cardinality(for_users) = 0 OR g.grantee = ANY (for_users) ORDER BY 1, 2, 3, 4, 5 $$;

CREATE OR REPLACE FUNCTION crdb_sim.show_system_grants(for_users text[]) RETURNS TABLE (grantee text, privilege_type text, is_grantable boolean) LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT g.grantee, g.privilege, g.grantable FROM (SELECT p.grantee, p.privilege, p.grantable FROM crdb_sim.privilege p WHERE p.table_id = 0 AND p.privilege <> 'CONTROLCHANGEFEED'
    UNION ALL SELECT u, 'ALL', true FROM unnest(ARRAY['admin', 'root']) u) g
  WHERE cardinality(for_users) = 0 OR g.grantee = ANY (for_users) ORDER BY 1, 2 $$;

-- Jobs: who sees them, how they look, PAUSE / RESUME / CANCEL. The changefeed engine carries out what is requested here.
CREATE OR REPLACE FUNCTION crdb_sim.is_admin(name text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  AS $$ SELECT coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = name), false)
        OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'admin' AND pg_has_role(name, r.oid, 'MEMBER')) $$;

CREATE OR REPLACE FUNCTION crdb_sim.has_system_privilege(name text, wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  AS $$ SELECT crdb_sim.is_admin(name) OR EXISTS (SELECT FROM crdb_sim.privilege p WHERE p.grantee IN (name, 'public') AND p.table_id = 0 AND p.privilege = wanted) $$;

CREATE OR REPLACE FUNCTION crdb_sim.may_see_job(owner text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  AS $$ SELECT session_user = owner OR crdb_sim.has_system_privilege(session_user, 'VIEWJOB') OR crdb_sim.has_system_privilege(session_user, 'CONTROLJOB') $$;

-- Hides the values of the parameters that CockroachDB knows to be secret; all others stay readable. The parameters come sorted,
-- as Go writes a query.
CREATE OR REPLACE FUNCTION crdb_sim.redact_uri(uri text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN uri LIKE 'null:%' THEN uri ELSE
    regexp_replace(split_part(uri, '?', 1), '^([a-z0-9+-]+://[^:/@?]*):[^@/?]*@', '\1:redacted@', 'i') || coalesce('?' || (
      SELECT string_agg(CASE WHEN p ~* '^(ca_cert|client_cert|client_key|sasl_password|sasl_client_secret|aws_secret_access_key|aws_session_token|azure_account_key|azure_client_secret|credentials|auth_token|api_secret|shared_access_key)='
          THEN split_part(p, '=', 1) || '=redacted' ELSE p END, '&' ORDER BY split_part(p, '=', 1) COLLATE "C", n)
      FROM string_to_table(substring(uri FROM '\?(.*)$'), '&') WITH ORDINALITY AS q(p, n) WHERE p <> ''), '') END $$;

-- A run is one life of the engine: what would tell of earlier ones is empty.
DROP VIEW IF EXISTS crdb_sim.show_jobs, crdb_internal.jobs;
CREATE VIEW crdb_internal.jobs AS
  SELECT job_id, job_type, description, statement, user_name, ARRAY(SELECT (t ->> 'table_id')::bigint FROM jsonb_array_elements(targets) t ORDER BY 1) AS descriptor_ids,
    status, running_status, created::timestamp, started::timestamp, finished::timestamp, modified::timestamp,
    NULL::real AS fraction_completed, CASE WHEN highwater_nanos IS NOT NULL THEN crdb_sim.hlc_text(highwater_nanos, highwater_logical)::numeric END AS high_water_timestamp,
    error, CASE WHEN status = 'running' THEN 1::bigint END AS coordinator_id, NULL::bigint AS trace_id, started::timestamp AS last_run, NULL::timestamp AS next_run,
    CASE WHEN started IS NULL THEN 0 ELSE 1 END::bigint AS num_runs, ARRAY[]::text[] AS execution_errors, '[]'::jsonb AS execution_events
  FROM crdb_sim.job WHERE crdb_sim.may_see_job(user_name);

CREATE VIEW crdb_sim.show_jobs AS
  SELECT job_id, job_type, description, statement, user_name, status, running_status, created, started, finished, modified, fraction_completed, error, coordinator_id,
    trace_id, last_run, next_run, num_runs, execution_errors
  FROM crdb_internal.jobs WHERE job_type NOT LIKE 'AUTO%' AND (finished IS NULL OR finished > clock_timestamp() - interval '12 hours');

CREATE OR REPLACE FUNCTION crdb_sim.changefeed_jobs() RETURNS TABLE (job_id bigint, description text, user_name text, status text, running_status text, created timestamptz, started timestamptz, finished timestamptz,
    modified timestamptz, high_water_timestamp numeric, error text, sink_uri text, full_table_names text[], topics text, format text) LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
  SELECT job_id, description, user_name, status, running_status, created, started, finished, modified,
    CASE WHEN highwater_nanos IS NOT NULL THEN crdb_sim.hlc_text(highwater_nanos, highwater_logical)::numeric END,
    error, crdb_sim.redact_uri(sink_uri),
    ARRAY(SELECT t ->> 'full_name' FROM jsonb_array_elements(targets) t ORDER BY 1), '', coalesce(options ->> 'format', 'json')
  FROM crdb_sim.job
  WHERE job_type = 'CHANGEFEED' AND (finished IS NULL OR finished > clock_timestamp() - interval '12 hours') AND crdb_sim.may_see_job(user_name)
  ORDER BY created, job_id $$;

-- PAUSE and the like are UPDATEs of this view, so that the count of the command tag is the database's own.
CREATE OR REPLACE VIEW crdb_sim.job_control AS SELECT job_id, job_type, status, ''::text AS request FROM crdb_sim.job;

CREATE OR REPLACE FUNCTION crdb_sim.known_job(id bigint) RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
  IF id IS NOT NULL AND NOT EXISTS (SELECT FROM crdb_sim.job WHERE job_id = id) THEN
    PERFORM crdb_sim.fail('XXUUU', format('job with ID %s does not exist', id));
  END IF;
  RETURN id;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.control_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  known crdb_sim.job;
  next_status text;
BEGIN
  SELECT * INTO known FROM crdb_sim.job WHERE job_id = OLD.job_id FOR UPDATE;
  IF NOT crdb_sim.has_system_privilege(session_user, 'CONTROLJOB') AND session_user <> known.user_name THEN
    PERFORM crdb_sim.fail('42501', format('user %s does not have privileges for job %s', session_user, known.job_id));
  END IF;
  IF crdb_sim.is_admin(known.user_name) AND NOT crdb_sim.is_admin(session_user) THEN
    PERFORM crdb_sim.fail('42501', 'only admins can control jobs owned by other admins');
  END IF;
  CASE NEW.request
    WHEN 'pause' THEN
      IF known.status IN ('pause-requested', 'paused') THEN RETURN NEW; END IF;
      IF known.status <> 'running' THEN PERFORM crdb_sim.fail('XXUUU', format('job %1$s: job with status %2$s cannot be requested to be paused', known.job_id, known.status)); END IF;
      next_status := 'pause-requested';
    WHEN 'resume' THEN
      IF known.status = 'running' THEN RETURN NEW; END IF;
      IF known.status <> 'paused' THEN PERFORM crdb_sim.fail('XXUUU', format('job %1$s: job with status %2$s cannot be resumed', known.job_id, known.status)); END IF;
      next_status := 'running';
    ELSE
      IF known.status IN ('cancel-requested', 'reverting', 'canceled') THEN RETURN NEW; END IF;
      IF known.status NOT IN ('running', 'pause-requested', 'paused') THEN PERFORM crdb_sim.fail('XXUUU', format('job %1$s: job with status %2$s cannot be requested to be canceled', known.job_id, known.status)); END IF;
      -- CANCEL of a history protection takes effect at once; a changefeed is ended by the engine.
      next_status := CASE WHEN known.job_type = 'CHANGEFEED' THEN 'cancel-requested' ELSE 'canceled' END;
  END CASE;
  UPDATE crdb_sim.job SET status = next_status, modified = clock_timestamp(),
    error = CASE WHEN next_status IN ('cancel-requested', 'canceled') THEN 'job canceled by user' ELSE '' END,
    finished = CASE WHEN next_status = 'canceled' THEN clock_timestamp() END
  WHERE job_id = known.job_id;
  PERFORM pg_notify('crdb_sim_job', known.job_id::text);
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER control_job INSTEAD OF UPDATE ON crdb_sim.job_control FOR EACH ROW EXECUTE FUNCTION crdb_sim.control_job();
GRANT SELECT, UPDATE ON crdb_sim.job_control TO PUBLIC;
GRANT SELECT ON crdb_internal.jobs, crdb_sim.show_jobs TO PUBLIC;

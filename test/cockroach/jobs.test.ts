import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createCertificateAuthority } from '../support/certificates.js';
import { startCockroach, clusterTimestamp, type Cockroach } from '../support/cockroach.js';
import { until } from '../support/until.js';

interface Job {
  readonly job_id: string;
  readonly status: string;
  readonly sink_uri: string;
  readonly full_table_names: string[];
  readonly description: string;
}

describe('changefeed jobs', () => {
  let cockroach: Cockroach;
  let table: string;
  before(async () => {
    cockroach = await startCockroach();
    table = cockroach.fresh('jobs');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
  });
  after(() => cockroach.stop());

  // Nothing listens there: CREATE makes no request to its sink.
  const sink = 'webhook-https://127.0.0.1:1/db/schema?insecure_tls_skip_verify=true&stream=orders&incarnation=3';
  async function create(options = "initial_scan = 'no', resolved = '1s'", into = sink): Promise<string> {
    const { rows } = await cockroach.sql.query<{ job_id: string }>(
      `CREATE CHANGEFEED FOR TABLE ${table} INTO '${into}' WITH updated, ${options}`,
    );
    return rows[0]?.job_id ?? '';
  }
  const show = async (id: string) => (await cockroach.sql.query<Job>(`SHOW CHANGEFEED JOB ${id}`)).rows[0];
  const becomes = (id: string, status: string) =>
    until(`job ${id} ${status}`, async () => (await show(id))?.status === status);

  it('CREATE returns a job that shows its sink, its own parameters kept and secrets redacted', async () => {
    const authority = await createCertificateAuthority('an authority');
    const client = await authority.issueClient('a changefeed');
    const secrets = [authority.cert, client.cert, client.key].map((pem) => Buffer.from(pem).toString('base64'));
    const [ca, cert, key] = secrets.map(encodeURIComponent);
    const id = await create(
      `cursor = '${await clusterTimestamp(cockroach.sql)}', initial_scan = 'no', on_error = 'pause', webhook_auth_header = 'Bearer c2VjcmV0'`,
      `${sink}&ca_cert=${ca ?? ''}&client_cert=${cert ?? ''}&client_key=${key ?? ''}`,
    );
    const job = await show(id);
    assert.equal(job?.status, 'running');
    assert.equal(
      job.sink_uri,
      'webhook-https://127.0.0.1:1/db/schema?ca_cert=redacted&client_cert=redacted&client_key=redacted&incarnation=3&insecure_tls_skip_verify=true&stream=orders',
    );
    for (const secret of [...secrets, 'c2VjcmV0']) assert.ok(!decodeURIComponent(JSON.stringify(job)).includes(secret));
    assert.match(job.full_table_names[0] ?? '', new RegExp(`\\.public\\.${table}$`));
    await cockroach.sql.query(`CANCEL JOB ${id}`);
  });

  it('has the columns of SHOW CHANGEFEED JOBS', async () => {
    const { fields } = await cockroach.sql.query('SHOW CHANGEFEED JOBS');
    const names = fields.map((field) => field.name);
    // Newer versions have more.
    for (const name of 'job_id description user_name status running_status created started finished modified high_water_timestamp error sink_uri full_table_names topics format'.split(
      ' ',
    )) {
      assert.ok(names.includes(name), `no column ${name}`);
    }
  });

  it('PAUSE, RESUME and CANCEL go through the statuses and say how many', async () => {
    const id = await create();
    await cockroach.sql.query(`PAUSE JOB ${id}`);
    await becomes(id, 'paused');
    await cockroach.sql.query(`PAUSE JOB ${id}`);
    await cockroach.sql.query(`RESUME JOB ${id}`);
    await becomes(id, 'running');
    await cockroach.sql.query(`CANCEL JOB $1`, [id]);
    await becomes(id, 'canceled');
    await cockroach.sql.query(`CANCEL JOB ${id}`);
    await assert.rejects(cockroach.sql.query(`PAUSE JOB ${id}`), {
      message: /job with status canceled cannot be requested to be paused/,
    });
    await assert.rejects(cockroach.sql.query(`RESUME JOB ${id}`), {
      message: /job with status canceled cannot be resumed/,
    });
  });

  it('jobs are chosen by a query over [SHOW CHANGEFEED JOBS]', async () => {
    const id = await create();
    await cockroach.sql.query(
      `CANCEL JOBS (SELECT job_id FROM [SHOW CHANGEFEED JOBS] WHERE sink_uri LIKE '%stream=orders%' AND status = 'running')`,
    );
    await becomes(id, 'canceled');
    const { rows } = await cockroach.sql.query<{ status: string; job_type: string }>(
      'SELECT status, job_type FROM crdb_internal.jobs WHERE job_id = $1',
      [id],
    );
    assert.deepEqual(rows, [{ status: 'canceled', job_type: 'CHANGEFEED' }]);
  });

  it('a job that is not there cannot be controlled, and is not shown', async () => {
    for (const verb of ['PAUSE', 'RESUME', 'CANCEL']) {
      await assert.rejects(cockroach.sql.query(`${verb} JOB 123456`), { message: /job with ID 123456 does not exist/ });
    }
    assert.deepEqual((await cockroach.sql.query('SHOW CHANGEFEED JOB 123456')).rows, []);
  });

  it('a changefeed needs rangefeeds', async () => {
    await cockroach.sql.query('SET CLUSTER SETTING kv.rangefeed.enabled = false');
    try {
      await assert.rejects(create(), {
        message: /rangefeeds require the kv\.rangefeed\.enabled setting\. See https:\/\//,
      });
    } finally {
      await cockroach.sql.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
    }
  });
});

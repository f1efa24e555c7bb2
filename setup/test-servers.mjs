import { findExecutable, H2_JAR, isThere, pathFolders, serverFolders } from './locations.mjs';
import { SetupProblem } from './problem.mjs';

/**
 * Servers of the system that the tests start themselves. All that is missing is said at once, but for what `FAILBACK_TEST_WITHOUT` names: the test
 * files that need it are then left out.
 */
export function requireTestServers(env = process.env) {
  const without = (env.FAILBACK_TEST_WITHOUT ?? '').split(',');
  const missing = [
    ...(without.includes('mariadb') || findExecutable('mariadbd', serverFolders(env))
      ? []
      : [{ what: 'MariaDB (mariadbd)', from: 'mariadb-server', word: 'mariadb' }]),
    ...(without.includes('h2') || findExecutable('java', pathFolders(env))
      ? []
      : [{ what: 'Java (java)', from: 'default-jre-headless', word: 'h2' }]),
    ...(without.includes('h2') || isThere(H2_JAR) ? [] : [{ what: `H2 (${H2_JAR})`, from: 'libh2-java', word: 'h2' }]),
  ];
  if (missing.length === 0) return;
  const packages = missing.map(({ from }) => from).join(' ');
  const words = [...new Set(missing.map(({ word }) => word))].join(',');
  throw new SetupProblem(
    `the tests of MySQL and Oracle targets need ${missing.map(({ what }) => what).join(', ')}: apt-get install ${packages}, or leave those tests out with FAILBACK_TEST_WITHOUT=${words}`,
  );
}

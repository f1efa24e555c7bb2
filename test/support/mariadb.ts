export { startMariadb, type Mariadb, type MariadbOptions } from '../../demo/parts/mariadb.js';
export { MYSQL } from './target/mysql.js';

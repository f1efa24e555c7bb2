import { TargetRefusedError } from '../failures.js';

/** What a connection string of Oracle says. Holds passwords, so it is never shown. */
export interface OracleAddress {
  readonly user: string;
  readonly password: string;
  /** A connect descriptor: the short form is read with a grammar of its own that does not take every host and service. */
  readonly connectString: string;
  /** Folder of `ewallet.pem`; null: the system's certificates. */
  readonly walletLocation: string | null;
  readonly walletPassword: string | null;
  /** The server's certificate must be of this distinguished name; null: of the host's name. */
  readonly serverDn: string | null;
}

const PORT = '1521';
const PORT_OF_TCPS = '2484';

/** What may stand behind the `?`. */
const PARAMETERS: ReadonlySet<string> = new Set(['tcps', 'wallet', 'walletPassword', 'serverDn']);

/**
 * Reads `oracle://C%23%23USER:password@host:1521/SERVICE`, percent-decoded: a common user's name has a `#`. The path is a service name; a SID
 * has no place in it, as Oracle advises. `tcps` encrypts, and so does a wallet.
 * @throws TargetRefusedError, whose words hold nothing of the string but names of parameters
 */
export function readConnectionString(text: string): OracleAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== 'oracle:') throw refused('it is no oracle:// URL');
  const [service, ...rest] = url.pathname.split('/').filter((segment) => segment !== '');
  if (url.hostname === '') throw refused('it names no host');
  if (service === undefined || rest.length > 0) throw refused('its path is not one service name');
  if (url.username === '' || url.password === '') throw refused('it lacks the user or the password');
  for (const name of url.searchParams.keys())
    if (!PARAMETERS.has(name))
      throw refused(`it has a parameter "${name}", which is none of ${[...PARAMETERS].join(', ')}`);
  const tcps = url.searchParams.get('tcps');
  if (tcps !== null && tcps !== 'true' && tcps !== 'false')
    throw refused('its parameter tcps is neither true nor false');
  const wallet = url.searchParams.get('wallet');
  if (wallet !== null && tcps === 'false') throw refused('it names a wallet, and says tcps=false');
  const encrypted = tcps === 'true' || wallet !== null;
  const port = url.port === '' ? (encrypted ? PORT_OF_TCPS : PORT) : url.port;
  return {
    user: decoded(url.username),
    password: decoded(url.password),
    connectString:
      `(DESCRIPTION=(ADDRESS=(PROTOCOL=${encrypted ? 'TCPS' : 'TCP'})(HOST=${url.hostname.replace(/^\[|\]$/g, '')})(PORT=${port}))` +
      `(CONNECT_DATA=(SERVICE_NAME=${serviceName(service)})))`,
    walletLocation: wallet,
    walletPassword: url.searchParams.get('walletPassword'),
    serverDn: url.searchParams.get('serverDn'),
  };
}

/** A parenthesis would write into the descriptor. */
function serviceName(part: string): string {
  const name = decoded(part);
  if (!/^[\w.$#-]+$/.test(name)) throw refused('its service name has characters that none has');
  return name;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw refused('a % in it is not followed by two hexadecimal digits');
  }
}

function refused(why: string): TargetRefusedError {
  return new TargetRefusedError(
    'connection-string',
    `the connection string of the Oracle target cannot be used: ${why}. Write oracle://USER:password@host:${PORT}/SERVICE, percent-encoded, with ` +
      '?tcps=true or ?wallet=/folder&walletPassword=... where the listener wants TLS',
    { cause: null },
  );
}

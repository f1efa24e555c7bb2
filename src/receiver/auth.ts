import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { Refusal } from './receiver-error.js';

export interface AuthOptions {
  /** A client certificate of the configured CA is demanded. */
  readonly clientCertificates: boolean;
  /** The token of `webhook_auth_header = 'Bearer <token>'`. */
  readonly bearerToken?: string;
}

/**
 * Refuses who is not let in. A missing certificate is answered after the handshake, so that the changefeed's job shows the reason
 * instead of a broken connection.
 * @throws Refusal 403 or 401
 */
export function createAuth({ clientCertificates, bearerToken }: AuthOptions): (request: IncomingMessage) => void {
  const expected = bearerToken === undefined ? null : digest(`Bearer ${bearerToken}`);
  return (request) => {
    const socket = request.socket as TLSSocket;
    if (clientCertificates && !socket.authorized) {
      const shown = Object.keys(socket.getPeerCertificate()).length > 0;
      throw new Refusal(
        403,
        shown ? 'client certificate is not of the expected CA' : 'client certificate missing',
        true,
      );
    }
    if (expected && !timingSafeEqual(digest(request.headers.authorization ?? ''), expected))
      throw new Refusal(401, 'missing or wrong token: check webhook_auth_header', true);
  };
}

/** Digests have one length, whatever is compared. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

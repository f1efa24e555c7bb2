/** Where a receiver is reached: an IPv6 address without its brackets. */
export interface ReceiverAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads the advertised URL, `https://host:port`; without a port it is HTTPS's own, 443. */
export function receiverAddress(advertisedUrl: string): ReceiverAddress {
  const url = new URL(advertisedUrl);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
}

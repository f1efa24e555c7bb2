/** The input names a connection that this worker does not have. The known names may be shown, their values never. */
export class UnknownConnectionError extends Error {
  constructor(
    readonly connection: string,
    known: readonly string[],
  ) {
    super(
      `connection "${connection}" is not known to this worker; known are ${known.length === 0 ? 'none' : [...known].sort().join(', ')}. ` +
        `Set FAILBACK_CONNECTION_${connection.toUpperCase().replaceAll('-', '_')}, or a file of that name in the secrets folder`,
    );
    this.name = 'UnknownConnectionError';
  }
}

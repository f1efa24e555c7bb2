/** A database's no to rows that it was given, or to their order. Its message holds no row value. */
export class Objection extends Error {
  constructor(
    message: string,
    /** SQLSTATE or the dialect's number. */
    readonly code: string,
    /**
     * The objection is to what other rows hold at the moment, or do not hold yet (foreign keys, unique and exclusion constraints): in another
     * order, or with them, the same rows may be taken.
     */
    readonly ofOrder: boolean,
    /** As far as the database names them. */
    readonly named: { readonly constraint?: string | undefined; readonly column?: string | undefined } = {},
  ) {
    super(message);
    this.name = 'Objection';
  }
}

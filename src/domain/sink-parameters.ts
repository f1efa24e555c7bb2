/** Query parameters of the sink URL that name the stream and its incarnation. CockroachDB passes on what it does not know. */
export const STREAM_PARAMETER = 'failback_stream';
export const INCARNATION_PARAMETER = 'failback_incarnation';

export function requireTestServers(env?: Record<string, string | undefined>): void;

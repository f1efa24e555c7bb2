type Environment = Record<string, string | undefined>;

export const TEMPORAL_CLI_VERSION: string;
export const projectFolder: string;
export function cacheFolder(env?: Environment): string;
export function cachedTemporal(env?: Environment): string;
export function findExecutable(name: string, folders: readonly string[]): string | undefined;
export function pathFolders(env?: Environment): string[];
export function serverFolders(env?: Environment): string[];
export const H2_JAR: string;
export function findTemporal(env?: Environment): string | undefined;
export function postgresLocation(env?: Environment): { packageFolder: string; native: string; folder: string };
export function isRoot(): boolean;
export function everybodyMayEnter(folder: string): boolean;
export function isThere(file: string): boolean;

/** One way by which a role reaches what is not its own. */
export interface IsolationViolation {
  role: string;
  database: string;
  /** What it can do, in words, and how to end that. */
  how: string;
}

/** Answer of `POST /databases/check`: can a service read another one's data? */
export interface IsolationReport {
  /** Name of the server in the configuration; `local` is the local runtime's. */
  server: string;
  /** ISO 8601. */
  checkedAt: string;
  databases: string[];
  /** Pairs of a service's role and another service's database whose privileges were looked at. */
  pairs: number;
  /** Of these, pairs for which a connection with the role's own password was really tried. */
  attempts: number;
  violations: IsolationViolation[];
  passed: boolean;
}

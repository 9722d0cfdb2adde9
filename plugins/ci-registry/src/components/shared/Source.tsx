import { Link } from '@backstage/ui';
import { RiExternalLinkLine, RiGitCommitLine } from '@remixicon/react';
import {
  safeHref,
  shortDigest,
  shortSha,
  useCommitHref,
} from '../../lib/links';
import styles from './parts.module.css';

/** An address outside of the portal; plain text where it cannot be followed. */
export function OutsideLink(props: { href?: string; children: string }) {
  const href = safeHref(props.href);
  if (!href) {
    return <span>{props.children}</span>;
  }
  return (
    <Link
      href={href}
      target="_blank"
      rel="noreferrer"
      standalone
      className={styles.link}
    >
      {props.children}
      <RiExternalLinkLine size={13} aria-hidden="true" />
    </Link>
  );
}

/** A commit with a link to its Git host, where that has a page for it. */
export function CommitLink(props: { repository?: string; sha: string }) {
  const { repository, sha } = props;
  const commitHref = useCommitHref();
  const href = repository ? commitHref(repository, sha) : undefined;
  const text = (
    <>
      <RiGitCommitLine size={14} aria-hidden="true" />
      <span className={styles.mono} title={sha}>
        {shortSha(sha)}
      </span>
    </>
  );
  return href ? (
    <Link
      href={href}
      target="_blank"
      rel="noreferrer"
      standalone
      className={`${styles.link} ${styles.commit}`}
    >
      {text}
    </Link>
  ) : (
    <span className={`${styles.link} ${styles.commit}`}>{text}</span>
  );
}

/** A pipeline run: a link when the pipeline said its address, else what it called itself. */
export function PipelineName({ pipeline }: { pipeline?: string }) {
  if (!pipeline) {
    return <span>pipeline not reported</span>;
  }
  const href = safeHref(pipeline);
  if (!href) {
    return <span>{pipeline}</span>;
  }
  // The end of the address is the number of the run; the rest is the same for all.
  const [, run = new URL(href).hostname] =
    /([^/]+)\/?$/.exec(new URL(href).pathname) ?? [];
  return <OutsideLink href={href}>{`run ${decodeText(run)}`}</OutsideLink>;
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A repository: its address without the scheme, as a link when it can be followed. */
export function RepositoryLink({ repository }: { repository: string }) {
  return (
    <OutsideLink href={repository}>
      {repository.replace(/^https?:\/\//, '')}
    </OutsideLink>
  );
}

/** A digest, short; the whole one is shown on hovering. */
export function Digest({ digest }: { digest: string }) {
  return (
    <code className={styles.mono} title={digest}>
      {shortDigest(digest)}
    </code>
  );
}

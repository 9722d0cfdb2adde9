import styles from './pageLayout.module.css';

/**
 * Classes of a page of boards: `page` around `tabs` of links (`tab`) and a `board`; `filters` with `search` and `select` above its
 * table, and `meanings`, a `details` below it that explains what is shown.
 */
export const pageStyles: Readonly<Record<string, string>> = styles;

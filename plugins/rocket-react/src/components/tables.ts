import styles from './tables.module.css';

/**
 * Classes of the tables of figures and of the cards that stand in for them where
 * there is no room: `box` around `table` with its `caption`; `cards` with `card`,
 * `cardHead`, `cardFoot`; `title`, `sub`, `hint` and `link` for texts in cells.
 */
export const tableStyles: Readonly<Record<string, string>> = styles;

import type { ReactNode } from 'react';
import { ThemeBlueprint } from '@backstage/plugin-app-react';
import {
  UnifiedThemeProvider,
  createUnifiedTheme,
  genPageTheme,
  palettes,
  shapes,
} from '@backstage/theme';
import { RiMoonLine, RiSunLine } from '@remixicon/react';

// The upstream pages still take their colours from Material UI; ours take them
// from brand.css. Both say the same.
const navigation = {
  background: '#0e1b33',
  indicator: '#ff7a45',
  color: '#c4cde0',
  selectedColor: '#ffffff',
  navItem: { hoverBackground: '#1b2b4a' },
  submenu: { background: '#16243f' },
};

function rocketTheme(mode: 'light' | 'dark') {
  const dark = mode === 'dark';
  const header = genPageTheme({
    colors: dark ? ['#18202e', '#18202e'] : ['#0e1b33', '#22355f'],
    shape: shapes.round,
  });
  return createUnifiedTheme({
    palette: {
      ...palettes[mode],
      primary: { main: dark ? '#9db2ff' : '#2f4bd8' },
      // The node in the middle of a relations graph.
      secondary: { main: dark ? '#ff9f73' : '#b8410f' },
      link: dark ? '#9db2ff' : '#2f4bd8',
      linkHover: dark ? '#c3d0ff' : '#1d2f8f',
      background: {
        default: dark ? '#10151f' : '#f5f6fa',
        paper: dark ? '#18202e' : '#ffffff',
      },
      navigation,
    },
    fontFamily: 'system-ui, sans-serif',
    components: {
      // The stock cells break words at any letter, which squeezes names into
      // columns of three letters. Words stay whole here; the table scrolls in
      // its own box where there is no room.
      MuiTableCell: {
        styleOverrides: {
          root: ({ theme }) => ({
            wordBreak: 'normal',
            overflowWrap: 'break-word',
            overflow: 'hidden',
            verticalAlign: 'middle',
            lineHeight: 1.35,
            margin: 0,
            padding: theme.spacing(2, 1.25),
            borderBottom: 0,
            '&:first-child': { paddingLeft: theme.spacing(2.5) },
          }),
          sizeSmall: ({ theme }) => ({ padding: theme.spacing(1, 1.25) }),
          head: ({ theme }) => ({
            overflow: 'hidden',
            color: theme.palette.textSubtle,
            fontWeight: 'normal',
            lineHeight: 1.35,
            whiteSpace: 'nowrap',
          }),
        },
      },
    },
    defaultPageTheme: 'home',
    pageTheme: Object.fromEntries(
      [
        'home',
        'documentation',
        'tool',
        'service',
        'website',
        'library',
        'other',
        'app',
        'apis',
        'card',
      ].map(name => [name, header]),
    ),
  });
}

/** The theme of one of the two, made when somebody sees it: that takes its time, and hardly anybody sees both. */
function provider(mode: 'light' | 'dark') {
  let theme: ReturnType<typeof rocketTheme> | undefined;
  return ({ children }: { children: ReactNode }) => {
    theme ??= rocketTheme(mode);
    return <UnifiedThemeProvider theme={theme} children={children} />;
  };
}

/** Replaces the stock light theme. */
export const lightTheme = ThemeBlueprint.make({
  name: 'light',
  params: {
    theme: {
      id: 'light',
      title: 'Light',
      variant: 'light',
      icon: <RiSunLine />,
      Provider: provider('light'),
    },
  },
});

/** Replaces the stock dark theme. */
export const darkTheme = ThemeBlueprint.make({
  name: 'dark',
  params: {
    theme: {
      id: 'dark',
      title: 'Dark',
      variant: 'dark',
      icon: <RiMoonLine />,
      Provider: provider('dark'),
    },
  },
});

import {
  Link,
  Sidebar,
  SidebarDivider,
  SidebarGroup,
  SidebarItem,
  SidebarSpace,
  sidebarConfig,
  useSidebarOpenState,
} from '@backstage/core-components';
import { NavContentBlueprint } from '@backstage/plugin-app-react';
import { NotificationsSidebarItem } from '@backstage/plugin-notifications';
import { SidebarSearchModal } from '@backstage/plugin-search';
import { UserSettingsSignInAvatar } from '@backstage/plugin-user-settings';
import { RiMenuLine, RiSearchLine } from '@remixicon/react';
import { LogoFull, LogoIcon } from './Logo';

function SidebarLogo() {
  const { isOpen } = useSidebarOpenState();
  return (
    <div
      style={{
        width: sidebarConfig.drawerWidthClosed,
        height: 64,
        display: 'flex',
        alignItems: 'center',
      }}
    >
      <Link
        to="/"
        underline="none"
        aria-label="Rocket, home"
        style={{ marginLeft: 22, display: 'flex' }}
      >
        {isOpen ? <LogoFull /> : <LogoIcon />}
      </Link>
    </div>
  );
}

/**
 * The sidebar: what people come for first. A page that some plugin adds later
 * appears after Create, so that installing a plugin is enough to see it.
 */
export const sidebar = NavContentBlueprint.make({
  params: {
    component: ({ navItems }) => {
      const nav = navItems.withComponent(item => (
        <SidebarItem icon={() => item.icon} to={item.href} text={item.title} />
      ));
      // These two have richer items of their own below.
      nav.take('page:search');
      nav.take('page:notifications');
      // Reached from an entity's relations, not from the sidebar.
      nav.take('page:catalog-graph');
      const settings = nav.take('page:user-settings');
      return (
        <Sidebar>
          <SidebarLogo />
          <SidebarDivider />
          <SidebarGroup label="Menu" icon={<RiMenuLine />}>
            {nav.take('page:home')}
            {nav.take('page:critical-paths')}
            {nav.take('page:ci-registry')}
            {nav.take('page:catalog')}
            {nav.take('page:api-docs')}
            {nav.take('page:techdocs')}
            {nav.take('page:scaffolder')}
            {nav.rest({ sortBy: 'title' })}
          </SidebarGroup>
          <SidebarDivider />
          <SidebarGroup label="Search" icon={<RiSearchLine />} to="/search">
            <SidebarSearchModal />
          </SidebarGroup>
          <NotificationsSidebarItem />
          <SidebarSpace />
          <SidebarDivider />
          <SidebarGroup
            label="Settings"
            icon={<UserSettingsSignInAvatar />}
            to="/settings"
          >
            {settings}
          </SidebarGroup>
        </Sidebar>
      );
    },
  },
});

import { createApp } from '@backstage/frontend-defaults';
import { appModule } from './modules/app';
import { homeModule } from './modules/home';

// The plugins are discovered from package.json (`app.packages: all`); only
// overrides of upstream plugins are listed here.
export default createApp({
  features: [appModule, homeModule],
});

export { permissionModuleRocketPolicy as default } from './module';

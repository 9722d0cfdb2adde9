export { authModuleGuestLoopback as default } from './module';

export {
  PipelineAuthenticator,
  type PushPermit,
} from './PipelineAuthenticator';
export { createPipelineIdentity, PIPELINE_PATHS } from './wiring';

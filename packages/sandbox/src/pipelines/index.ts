export { startPipelines, type PipelineOptions } from './PipelinePlayer';

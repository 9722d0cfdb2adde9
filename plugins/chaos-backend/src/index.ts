export { RunKeeper } from './runs/RunKeeper';
export { DatabaseRunStore } from './runs/DatabaseRunStore';

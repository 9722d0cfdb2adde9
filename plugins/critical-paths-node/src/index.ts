export * from './telemetrySource';

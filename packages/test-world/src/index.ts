// What the tests of the apps share. Nothing that ships imports this package.

export { type StoreWorld, type StoreWorldOptions, startStoreWorld } from './store-world.ts'
export { createTestConsumer, type TestConsumerOptions } from './test-consumer.ts'

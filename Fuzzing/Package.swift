// swift-tools-version: 6.2
import PackageDescription

// Coverage-guided fuzzing of everything that reads bytes from outside. A package of its own, because each of its modules
// is built with libFuzzer's instrumentation; its sources are the program's own, reached by links. `scripts/fuzz` runs it.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "fuzzing",
    targets: [
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "Identity", dependencies: ["COpenSSL"], swiftSettings: settings),
        .target(name: "Metering", dependencies: ["Identity"], swiftSettings: settings),
        .target(name: "Engines", dependencies: ["Identity", "Metering"], swiftSettings: settings),
        .target(name: "HTTP1", swiftSettings: settings),
        .target(
            name: "UsageJournal", dependencies: ["Identity", "Metering"],
            // Records are decoded where nothing outside the module can: the fuzzer looks in as tests do.
            swiftSettings: settings + [.unsafeFlags(["-enable-testing"])]),
        .executableTarget(
            name: "fuzz",
            dependencies: ["Engines", "HTTP1", "Identity", "Metering", "UsageJournal"],
            swiftSettings: settings),
    ]
)

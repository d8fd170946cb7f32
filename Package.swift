// swift-tools-version: 6.2
import PackageDescription

/// Every target: imports are internal unless they say `public`, existentials say `any`.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // The tests run with the checks for overlapping access to memory; released programs need not pay for them.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let package = Package(
    name: "tollgate",
    products: [
        .executable(name: "tollgate", targets: ["tollgate"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // values
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "Identity", dependencies: ["COpenSSL"], swiftSettings: settings),
        .target(name: "Monetary", swiftSettings: settings),
        // domain
        .target(name: "Accounts", dependencies: ["Identity", "Monetary"], swiftSettings: settings),
        .target(name: "Metering", dependencies: ["Identity"], swiftSettings: settings),
        .target(name: "Limits", dependencies: ["Identity"], swiftSettings: settings),
        .target(name: "Pricing", dependencies: ["Monetary", "Identity", "Metering"], swiftSettings: settings),
        .target(
            name: "StrictYAML", dependencies: [.product(name: "Yams", package: "Yams")], swiftSettings: settings),
        .target(
            name: "CatalogueLanguage", dependencies: ["Engines", "Identity", "Monetary", "StrictYAML"],
            swiftSettings: settings),
        .target(
            name: "PlanLanguage", dependencies: ["Identity", "Metering", "Monetary", "Pricing", "StrictYAML"],
            swiftSettings: settings),
        .target(name: "ServiceLevels", dependencies: ["Identity", "Metering", "Monetary"], swiftSettings: settings),
        .target(name: "Ledger", dependencies: ["Identity", "Monetary"], swiftSettings: settings),
        .target(
            name: "Invoicing",
            dependencies: ["Accounts", "Identity", "Ledger", "Metering", "Monetary", "Pricing", "ServiceLevels"],
            swiftSettings: settings),
        // ports
        .target(name: "Engines", dependencies: ["Identity", "Metering"], swiftSettings: settings),
        .target(name: "HTTP1", swiftSettings: settings),
        .target(name: "Routing", dependencies: ["Engines"], swiftSettings: settings),
        // Counting megabytes without optimisation would take tests minutes.
        .target(
            name: "Tokenizers", swiftSettings: settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        // adapters
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "Postgres", dependencies: ["CLibPQ"], swiftSettings: settings),
        .target(name: "UsageJournal", dependencies: ["Identity", "Metering"], swiftSettings: settings),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CPangoCairo", pkgConfig: "pangocairo", providers: [.apt(["libpango1.0-dev", "libcairo2-dev"])]),
        .target(
            name: "Documents", dependencies: ["CPangoCairo", "Identity", "Invoicing", "Metering", "ServiceLevels"],
            swiftSettings: settings),
        .target(name: "Telemetry", swiftSettings: settings),
        .target(
            name: "Storage",
            dependencies: [
                "Accounts", "Engines", "Identity", "Invoicing", "Ledger", "Limits", "Metering", "Monetary", "Postgres",
                "PlanLanguage", "Pricing", "ServiceLevels",
            ],
            swiftSettings: settings),
        // services
        .target(
            name: "Billing",
            dependencies: [
                "Accounts", "Documents", "Engines", "Identity", "Invoicing", "Ledger", "Limits", "Metering", "Monetary",
                "PlanLanguage", "Pricing", "ServiceLevels", "Storage",
            ],
            swiftSettings: settings),
        // apps
        .target(
            name: "Ingest",
            dependencies: [
                "Accounts", "Engines", "Identity", "Metering", "Monetary", "Pricing", "Storage", "UsageJournal",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "SnapshotSync",
            dependencies: [
                "Accounts", "Engines", "Identity", "Limits", "Metering", "Monetary", "PlanLanguage", "Pricing",
                "Storage", "Tokenizers", "UsageJournal",
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "Gateway",
            dependencies: [
                "Accounts", "CZlib", "Engines", "HTTP1", "Identity", "Limits", "Metering", "Pricing", "Routing",
                "Telemetry", "Tokenizers", "UsageJournal",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings),
        .target(
            name: "EngineSimulator",
            dependencies: [
                "Identity",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "AdminAPI",
            dependencies: [
                "Accounts", "Billing", "CatalogueLanguage", "Documents", "Engines", "Identity", "Invoicing", "Ledger",
                "Limits", "Metering", "Monetary", "PlanLanguage", "Pricing", "ServiceLevels", "Storage", "Telemetry",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "Reconciliation",
            dependencies: [
                "Accounts", "Billing", "Identity", "Invoicing", "Ledger", "Metering", "Monetary", "Pricing",
                "ServiceLevels", "Storage", "UsageJournal",
            ],
            swiftSettings: settings),
        // program
        .executableTarget(
            name: "tollgate",
            dependencies: [
                "Accounts", "AdminAPI", "Billing", "CatalogueLanguage", "Documents", "EngineSimulator", "Engines",
                "Gateway",
                "Identity", "Ingest", "Invoicing", "Limits", "Metering", "Monetary", "PlanLanguage", "Postgres",
                "Pricing",
                "Reconciliation", "ServiceLevels", "SnapshotSync", "Storage", "StrictYAML", "Telemetry", "Tokenizers",
                "UsageJournal",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            // Swift 6.3.1 ends a release build of this target with "circular reference" in this one pass (it looks for
            // objects that need no heap). Nothing here runs per request.
            swiftSettings: settings + [
                .unsafeFlags(["-Xllvm", "-sil-disable-pass=stack-promotion"], .when(configuration: .release))
            ]
        ),
        // tests
        .target(
            name: "TestSupport",
            dependencies: ["Accounts", "Identity", "PlanLanguage", "Postgres", "Pricing", "Storage"],
            swiftSettings: settings),
        .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "EngineSimulatorTests",
            dependencies: [
                "EngineSimulator",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "ArchitectureTests", swiftSettings: settings),
        .testTarget(name: "IdentityTests", dependencies: ["Identity", "NaiveArithmetic"], swiftSettings: settings),
        .testTarget(name: "MeteringTests", dependencies: ["Metering", "Identity"], swiftSettings: settings),
        .testTarget(
            name: "EndToEndTests", dependencies: ["NaiveArithmetic", "Postgres", "TestSupport"], swiftSettings: settings
        ),
        .testTarget(
            name: "UsageJournalTests", dependencies: ["UsageJournal", "Identity", "Metering"], swiftSettings: settings),
        .testTarget(
            name: "LedgerTests", dependencies: ["Ledger", "Identity", "Monetary", "NaiveArithmetic"],
            swiftSettings: settings),
        .testTarget(
            name: "ServiceLevelsTests",
            dependencies: ["ServiceLevels", "Identity", "Metering", "Monetary", "NaiveArithmetic"],
            swiftSettings: settings),
        .testTarget(
            name: "AdminAPITests",
            dependencies: [
                "AdminAPI", "Accounts", "Billing", "Engines", "Identity", "Invoicing", "Limits", "Metering", "Monetary",
                "PlanLanguage", "Postgres", "Pricing", "ServiceLevels", "Storage", "Telemetry", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "BillingTests",
            dependencies: [
                "Billing", "Accounts", "Engines", "Identity", "Invoicing", "Ledger", "Limits", "Metering", "Monetary",
                "NaiveArithmetic", "PlanLanguage", "Postgres", "Pricing", "Reconciliation", "ServiceLevels", "Storage",
                "TestSupport", "UsageJournal",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GoldenTests",
            dependencies: [
                "Accounts", "Billing", "Documents", "Identity", "Ingest", "Invoicing", "Ledger", "Metering",
                "Monetary", "PlanLanguage", "Pricing", "Reconciliation", "Storage", "TestSupport", "UsageJournal",
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["Cases"],
            swiftSettings: settings),
        .testTarget(
            name: "InvoicingTests",
            dependencies: [
                "Invoicing", "Accounts", "Identity", "Ledger", "Metering", "Monetary", "NaiveArithmetic", "Pricing",
                "ServiceLevels",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "DocumentsTests", dependencies: ["Documents", "Invoicing", "NaiveArithmetic", "ServiceLevels"],
            swiftSettings: settings),
        .target(name: "NaiveArithmetic", path: "Tests/NaiveArithmetic", swiftSettings: settings),
        .testTarget(
            name: "StorageTests",
            dependencies: [
                "Storage", "Accounts", "Engines", "Identity", "Limits", "Metering", "Monetary",
                "PlanLanguage", "Postgres", "Pricing", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "EnginesTests", dependencies: ["Engines", "Identity", "Metering", "NaiveArithmetic", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "RoutingTests", dependencies: ["Routing", "Engines", "NaiveArithmetic"], swiftSettings: settings),
        .testTarget(name: "TokenizersTests", dependencies: ["Tokenizers", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"], swiftSettings: settings),
        .testTarget(
            name: "HTTP1Tests",
            dependencies: [
                "HTTP1", "NaiveArithmetic",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "Gateway", "Accounts", "CZlib", "Engines", "EngineSimulator", "Identity", "Limits", "Metering",
                "NaiveArithmetic", "PlanLanguage", "Pricing", "Routing", "Telemetry", "TestSupport", "Tokenizers",
                "UsageJournal",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CatalogueLanguageTests", dependencies: ["CatalogueLanguage", "Engines"], swiftSettings: settings),
        .testTarget(
            name: "ControlPlaneTests",
            dependencies: [
                "Accounts", "Billing", "Engines", "Identity", "Ingest", "Limits", "Metering", "Monetary",
                "NaiveArithmetic", "PlanLanguage", "Postgres", "Pricing", "Reconciliation", "SnapshotSync", "Storage",
                "TestSupport", "UsageJournal",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "LimitsTests", dependencies: ["Limits", "Identity", "NaiveArithmetic"], swiftSettings: settings),
        .testTarget(
            name: "AccountsTests", dependencies: ["Accounts", "Identity", "NaiveArithmetic"], swiftSettings: settings),
        .testTarget(name: "MonetaryTests", dependencies: ["Monetary", "NaiveArithmetic"], swiftSettings: settings),
        .testTarget(name: "StrictYAMLTests", dependencies: ["StrictYAML"], swiftSettings: settings),
        .testTarget(
            name: "PlanLanguageTests",
            dependencies: [
                "PlanLanguage", "Pricing", "Monetary", "Identity", "Metering", "NaiveArithmetic", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "PricingTests",
            dependencies: [
                "Pricing", "PlanLanguage", "Monetary", "Identity", "Metering", "NaiveArithmetic", "TestSupport",
            ],
            swiftSettings: settings),
    ]
)

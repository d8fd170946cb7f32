internal import Metering

extension EngineKind {
    /// How this system is spoken to.
    public var dialect: any Dialect {
        OpenAIFamilyDialect()
    }
}

struct OpenAIFamilyDialect: Dialect {
    func serves(_ surface: Surface) -> Bool { true }
}

//! Scaling activities: what Auto Scaling says that it did.

use crate::ids::InstanceId;

/// What an activity did with its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Launch,
    LaunchIntoWarmPool,
    LaunchFromWarmPool,
    ReturnToWarmPool,
    EnterStandby,
    ExitStandby,
    Terminate,
}

/// A scaling activity. Times are seconds of the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activity {
    pub(crate) start: i64,
    /// Absent while it goes on.
    pub(crate) end: Option<i64>,
    pub(crate) what: Move,
    pub(crate) instance: u32,
}

impl Move {
    /// The description. Amazon EC2 Auto Scaling User Guide, "Verify a scaling activity".
    pub(crate) fn description(self, instance: InstanceId) -> String {
        let text = match self {
            Self::Launch => "Launching a new EC2 instance",
            Self::LaunchIntoWarmPool => "Launching a new EC2 instance into warm pool",
            Self::LaunchFromWarmPool => "Launching a new EC2 instance from warm pool",
            Self::ReturnToWarmPool => "Returning EC2 instance to warm pool",
            Self::EnterStandby => "Moving EC2 instance to Standby",
            Self::ExitStandby => "Moving EC2 instance out of Standby",
            Self::Terminate => "Terminating EC2 instance",
        };
        format!("{text}: {instance}")
    }

    /// Why it happened.
    pub(crate) fn cause(self, at: &str, instance: InstanceId) -> String {
        match self {
            Self::Launch | Self::LaunchIntoWarmPool | Self::LaunchFromWarmPool => format!(
                "At {at} an instance was started in response to a difference between desired and actual capacity, \
                 increasing the capacity."
            ),
            Self::ReturnToWarmPool | Self::Terminate => format!(
                "At {at} an instance was taken out of service in response to a difference between desired and actual \
                 capacity, shrinking the capacity."
            ),
            Self::EnterStandby => {
                format!(
                    "At {at} instance {instance} was moved to standby in response to a user request, shrinking the capacity."
                )
            }
            Self::ExitStandby => format!(
                "At {at} instance {instance} was moved out of standby in response to a user request, increasing the capacity."
            ),
        }
    }
}
